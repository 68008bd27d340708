// Whole trainings on every number of ranks: 997 rows, a batch that leaves a remainder,
// five lanes. What a world of one makes of them every world must make, bit for bit.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "data/samples.h"
#include "lockstep/core/error.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/train/cpu_stepper.h"
#include "lockstep/train/trainer.h"
#include "support/rank_test.h"

namespace lockstep {
namespace {

constexpr int kLanes = 5;
constexpr std::uint64_t kSeed = 23;

Network full_network() {
  return Network({{ConvOptions{.filters = 4, .activation = ActivationKind::kRelu},
                   BatchNormOptions{}, DropoutOptions{.rate = 0.25F}, FlattenOptions{},
                   DenseOptions{.units = 16, .activation = ActivationKind::kRelu},
                   BatchNormOptions{}, DenseOptions{.units = samples::kClasses}}},
                 samples::options().shape, samples::kClasses);
}

Network linear_network() {
  return Network({{FlattenOptions{}, DenseOptions{.units = samples::kClasses}}},
                 samples::options().shape, samples::kClasses);
}

DataOptions data_options(const std::string& path) {
  DataOptions options = samples::options();
  options.train.path = path;
  options.augmentation = {.rotation_degrees = 5, .translation_pixels = 1, .scale = 0.1F};
  return options;
}

TrainSettings settings() {
  TrainSettings settings;
  settings.parallel.global_batch = 96;
  settings.parallel.lanes = kLanes;
  settings.parallel.digest_every_steps = 3;
  settings.train.epochs = 2;
  settings.train.optimizer = AdamOptions{};
  settings.seed = kSeed;
  settings.class_names = {"0", "1", "2", "3", "4", "5", "6"};
  return settings;
}

using Callbacks = std::vector<std::unique_ptr<Callback>>;

class Trainer : public testing::Test {
 protected:
  TrainResult run(Communicator& comm, const Network& network, const TrainSettings& settings,
                  int worker_count, Callbacks callbacks = {}) {
    const TrainingData data(comm, data_options(path_), kLanes, kSeed);
    Workers workers(worker_count, prepare_worker_thread);
    return train(comm, network, data, workers, settings, callbacks);
  }

  samples::SharedFolder folder_{test_comm()};
  std::string path_ = folder_.write("train.csv", samples::csv(samples::kRows));
  std::unique_ptr<Communicator> self_ = connect_self();
};

TEST_F(Trainer, WeightsAreThoseOfAWorldOfOne) {
  const Network network = full_network();
  for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
    TrainSettings each = settings();
    each.parallel.precision = precision;
    const TrainResult alone = run(*self_, network, each, 1);
    EXPECT_EQ(alone.steps, 2 * 9);  // of 798 training rows, 96 at a time
    EXPECT_EQ(alone.reason, "all epochs done");
    for (int workers = 1; workers <= 2; ++workers) {
      const TrainResult shared = run(test_comm(), network, each, workers);
      EXPECT_EQ(shared.weights_digest, alone.weights_digest);
      EXPECT_EQ(shared.weights, alone.weights);
      EXPECT_EQ(shared.validation.confusion, alone.validation.confusion);
      EXPECT_EQ(shared.validation.loss_sum, alone.validation.loss_sum);
      EXPECT_EQ(shared.steps, alone.steps);
    }
  }
}

TEST_F(Trainer, EverySettingOfTheUpdateIsEqualAtEveryWorldSize) {
  const Network network = full_network();
  TrainSettings each = settings();
  each.train.clip_norm = 0.5F;
  each.train.label_smoothing = 0.1F;
  each.train.balance_classes = true;
  each.train.ema_decay = 0.9F;
  each.train.optimizer = SgdOptions{.weight_decay = 1e-3F, .nesterov = true};
  each.train.schedule = OneCycleSchedule{};
  const TrainResult alone = run(*self_, network, each, 1);
  EXPECT_EQ(run(test_comm(), network, each, 2).weights_digest, alone.weights_digest);
  each.train.groups = {{.layers = {"0", "*.batch_norm"}, .rate_factor = 0.5F, .decay_factor = 2}};
  each.train.schedule = LinearSchedule{};
  std::vector<Digest> digests;
  for (const OptimizerOptions& optimizer :
       {OptimizerOptions(LambOptions{}), OptimizerOptions(LarsOptions{.learning_rate = 10}),
        OptimizerOptions(MuonOptions{}), OptimizerOptions(AdamWOptions{})}) {
    each.train.optimizer = optimizer;
    digests.push_back(run(*self_, network, each, 1).weights_digest);
    EXPECT_EQ(run(test_comm(), network, each, 3).weights_digest, digests.back());
  }
  for (std::size_t i = 1; i < digests.size(); ++i) EXPECT_NE(digests[i], digests[i - 1]);
  TrainSettings other = each;
  other.seed = kSeed + 1;
  EXPECT_NE(run(test_comm(), network, other, 2).weights_digest, digests.back());
}

// Twice the weights are twice the sums, which are divided by twice as much.
TEST_F(Trainer, EqualWeightsOfClassesAreNone) {
  const Network network = full_network();
  TrainSettings each = settings();
  each.train.clip_norm = 0.5F;
  const TrainResult plain = run(test_comm(), network, each, 1);
  each.train.class_weights.assign(samples::kClasses, 2);
  EXPECT_EQ(run(test_comm(), network, each, 1).weights_digest, plain.weights_digest);
  each.train.class_weights[0] = 1;
  EXPECT_NE(run(test_comm(), network, each, 1).weights_digest, plain.weights_digest);
}

// One step of plain SGD moves the weights by the learning rate times the clipped
// gradient, so by exactly rate times limit where the limit bites.
double distance_of_one_step(const std::vector<float>& begin, const std::vector<float>& end) {
  double square = 0;
  for (std::size_t i = 0; i < begin.size(); ++i) {
    const double step = static_cast<double>(end[i]) - begin[i];
    square += step * step;
  }
  return std::sqrt(square);
}

TEST_F(Trainer, ClippingLimitsTheNormOfTheMeanGradient) {
  const Network network = linear_network();
  TrainSettings each = settings();
  each.parallel.global_batch = samples::kRows;
  each.train.epochs = 1;
  each.train.optimizer = SgdOptions{.learning_rate = 1, .momentum = 0};
  const std::vector<float> begin = network.initial_weights(kSeed);

  const TrainResult free = run(test_comm(), network, each, 1);
  EXPECT_EQ(free.steps, 1);
  const double norm = distance_of_one_step(begin, free.weights);
  ASSERT_GT(norm, 0.01);

  each.train.clip_norm = static_cast<float>(norm / 4);
  const TrainResult clipped = run(test_comm(), network, each, 1);
  EXPECT_NEAR(distance_of_one_step(begin, clipped.weights), norm / 4, 1e-5 * norm);
  for (std::size_t i = 0; i < begin.size(); ++i) {  // the direction stays
    EXPECT_NEAR(clipped.weights[i] - begin[i], (free.weights[i] - begin[i]) / 4, 1e-6);
  }

  each.train.clip_norm = static_cast<float>(norm * 2);
  EXPECT_EQ(run(test_comm(), network, each, 1).weights_digest, free.weights_digest);
}

// Keeps what the loop says and answers with what the test wants.
class Probe : public Callback {
 public:
  Probe(std::vector<EpochEvent>& events, std::vector<Directive> answers)
      : events_(events), answers_(std::move(answers)) {}

  Directive on_epoch_end(const EpochEvent& event) override {
    events_.push_back(event);
    return answers_[static_cast<std::size_t>(event.epoch)];
  }
  std::string name() const override { return "probe"; }

 private:
  std::vector<EpochEvent>& events_;
  std::vector<Directive> answers_;
};

Callbacks probe(std::vector<EpochEvent>& events, std::vector<Directive> answers) {
  Callbacks callbacks;
  if (test_comm().rank() == 0) {
    callbacks.push_back(std::make_unique<Probe>(events, std::move(answers)));
  }
  return callbacks;
}

TEST_F(Trainer, StopEndsTheTrainingOnAllRanksWithTheBestWeights) {
  TrainSettings each = settings();
  each.train.epochs = 4;
  const Directive best{.keep_as_best = true, .reason = {}};
  const Directive stop{.stop = true, .restore_best = true, .reason = "enough"};
  std::vector<EpochEvent> events;
  const TrainResult result =
      run(test_comm(), full_network(), each, 1, probe(events, {best, {}, stop}));
  EXPECT_EQ(result.reason, "enough");
  EXPECT_EQ(result.steps, 3 * 9);
  EXPECT_EQ(result.best_epoch, 0);
  if (test_comm().rank() != 0) {
    EXPECT_TRUE(events.empty());
    return;
  }
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(result.weights_digest, events[0].weights_digest);
  EXPECT_NE(result.weights_digest, events[2].weights_digest);
  EXPECT_EQ(result.validation.loss(), events[0].val_loss);
  EXPECT_EQ(result.validation.accuracy(), events[0].val_accuracy);
}

TEST_F(Trainer, RateFactorsOfCallbacksMultiply) {
  TrainSettings each = settings();
  each.train.epochs = 3;
  const Directive half{.learning_rate_factor = 0.5, .min_learning_rate = 4e-4, .reason = {}};
  std::vector<EpochEvent> events;
  run(test_comm(), full_network(), each, 1, probe(events, {half, half, {}}));
  if (test_comm().rank() != 0) return;
  ASSERT_EQ(events.size(), 3U);
  EXPECT_NEAR(events[0].learning_rate, 1e-3, 1e-9);
  EXPECT_NEAR(events[1].learning_rate, 5e-4, 1e-9);
  EXPECT_NEAR(events[2].learning_rate, 4e-4, 1e-9);  // not below the minimum
}

// With a rate of 0 the weights stay, so the epoch's loss is that of the initial ones.
TEST_F(Trainer, EpochEventsAreMeansOverTheEpoch) {
  const Network network = linear_network();
  TrainSettings each = settings();
  each.train.epochs = 1;
  each.train.optimizer = SgdOptions{.learning_rate = 0};
  std::vector<EpochEvent> events;
  const TrainResult result = run(test_comm(), network, each, 1, probe(events, {{}}));
  EXPECT_EQ(result.weights, network.initial_weights(kSeed));
  if (test_comm().rank() != 0) return;

  prepare_worker_thread();
  const TrainingData data(*self_, data_options(path_), kLanes, kSeed);
  const Weights weights(network.initial_weights(kSeed), Precision::kFp32);
  LaneExecutor executor(network, Precision::kFp32);
  std::vector<float> gradients(static_cast<std::size_t>(network.trainable_size()));
  double loss_sum = 0;
  double correct = 0;
  double samples = 0;
  Batch batch;
  for (std::int64_t step = 0; step < data.steps_per_epoch(96); ++step) {
    for (int lane = 0; lane < kLanes; ++lane) {
      data.fill_batch(lane, 0, step, 96, batch);
      const LaneResult of_lane = executor.train(weights, batch, {}, gradients, {});
      loss_sum += of_lane.loss_sum;
      correct += of_lane.correct;
      samples += batch.size;
    }
  }
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(samples, 798);
  EXPECT_NEAR(events[0].train_loss, loss_sum / samples, 1e-5);
  EXPECT_NEAR(events[0].train_accuracy, correct / samples, 1e-12);
}

// A stepper whose replica is far away, as a GPU's is.
class CountingStepper final : public Stepper {
 public:
  explicit CountingStepper(Stepper& near) : near_(near) {}
  StepSum step(int epoch, std::int64_t step, float learning_rate) override {
    ++steps;
    return near_.step(epoch, step, learning_rate);
  }
  const Replica& replica() override {
    ++fetches;
    return near_.replica();
  }
  std::int64_t updates() const override { return near_.updates(); }
  void set_replica(Replica replica) override { near_.set_replica(std::move(replica)); }
  int workers() const override { return near_.workers(); }
  void raise(Flag flag) override { near_.raise(flag); }
  void lower(Flag flag) override { near_.lower(flag); }
  NonFinite find_non_finite() override { return near_.find_non_finite(); }
  StepTimes take_times() override { return near_.take_times(); }

  int steps = 0;
  int fetches = 0;

 private:
  Stepper& near_;
};

TEST_F(Trainer, ReplicaIsNotFetchedForEveryStep) {
  TrainSettings each = settings();
  each.parallel.digest_every_steps = 0;
  const TrainingData data(test_comm(), data_options(path_), kLanes, kSeed);
  const Network network = linear_network();
  Workers workers(1, prepare_worker_thread);
  CpuStepper near(test_comm(), network, data, workers, each.parallel, each.train, each.seed);
  CountingStepper stepper(near);
  CpuEvaluator evaluator(network, workers, each.parallel.precision, data.summary().normalization);
  Callbacks callbacks;
  train(test_comm(), network, data, {stepper, evaluator}, each, callbacks);
  EXPECT_EQ(stepper.steps, 18);
  EXPECT_LE(stepper.fetches, 9);  // at the ends of two epochs and of the run
}

TEST_F(Trainer, DivergenceIsAnErrorThatAllRanksShare) {
  TrainSettings each = settings();
  each.train.optimizer = SgdOptions{.learning_rate = std::numeric_limits<float>::max()};
  try {
    run(test_comm(), linear_network(), each, 1);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kDiverged) << error.what();
    EXPECT_EQ(error.reach(), Reach::kAgreed);
  }
}

}  // namespace
}  // namespace lockstep
