// Trainings in which layers are frozen, on every number of ranks.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <vector>

#include "data/samples.h"
#include "lockstep/checkpoint/checkpoint_store.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/train/cpu_stepper.h"
#include "lockstep/train/trainer.h"
#include "support/rank_test.h"

namespace lockstep {
namespace {

constexpr int kLanes = 5;
constexpr std::uint64_t kSeed = 23;
const std::set<std::string> kTaken = {"5.batch_norm.running_mean"};

Network network(const std::vector<std::string>& freeze) {
  return {{{ConvOptions{.filters = 4, .activation = ActivationKind::kRelu}, BatchNormOptions{},
            DropoutOptions{.rate = 0.25F}, FlattenOptions{}, DenseOptions{.units = 16},
            BatchNormOptions{}, DenseOptions{.units = samples::kClasses}}},
          samples::options().shape,
          samples::kClasses,
          freeze};
}

class Frozen : public testing::Test {
 protected:
  TrainSettings settings() const {
    TrainSettings settings;
    settings.parallel = {.global_batch = 96, .lanes = kLanes};
    settings.train.epochs = 2;
    settings.train.clip_norm = 1;
    settings.train.ema_decay = 0.9F;
    settings.train.optimizer = AdamWOptions{.weight_decay = 0.1F};
    settings.seed = kSeed;
    settings.class_names = {"0", "1", "2", "3", "4", "5", "6"};
    return settings;
  }

  DataOptions options() const {
    DataOptions options = samples::options();
    options.train.path = path_;
    return options;
  }

  // Begins with `values` where there are any.
  TrainResult run(Communicator& comm, const Network& net, const TrainSettings& settings,
                  int threads, std::vector<float> values = {}) {
    const TrainingData data(comm, options(), kLanes, kSeed);
    Workers workers(threads, prepare_worker_thread);
    CpuStepper stepper(comm, net, data, workers, settings.parallel, settings.train, kSeed);
    if (!values.empty()) {
      stepper.set_replica(begun_with(stepper.replica(), std::move(values), kTaken));
    }
    CpuEvaluator evaluator(net, workers, settings.parallel.precision, data.summary().normalization);
    std::vector<std::unique_ptr<Callback>> none;
    return train(comm, net, data, {stepper, evaluator}, settings, none);
  }

  samples::SharedFolder folder_{test_comm()};
  std::string path_ = folder_.write("train.csv", samples::csv(samples::kRows));
  std::unique_ptr<Communicator> self_ = connect_self();
};

// Neither decay nor clipping nor the moving average touches them; the others all move.
TEST_F(Frozen, LayersKeepEveryBitAtEveryWorldSize) {
  using Patterns = std::vector<std::string>;
  for (const Patterns& freeze :
       {Patterns{"0.*", "1.*"}, Patterns{"4.*", "5.*"}, Patterns{"*", "!6.*"},
        Patterns{"0.conv.weight", "5.batch_norm.scale"}}) {
    const Network net = network(freeze);
    std::vector<float> begin = net.initial_weights(kSeed);
    for (std::size_t i = 0; i < begin.size(); ++i) begin[i] += 1e-3F * static_cast<float>(i % 7);
    for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
      TrainSettings each = settings();
      each.parallel.precision = precision;
      const TrainResult alone = run(*self_, net, each, 1, begin);
      for (const Parameter& parameter : net.parameters()) {
        const auto first = static_cast<std::size_t>(parameter.range.first);
        const auto last = static_cast<std::size_t>(parameter.range.last);
        const bool same = std::equal(begin.begin() + static_cast<std::ptrdiff_t>(first),
                                     begin.begin() + static_cast<std::ptrdiff_t>(last),
                                     alone.weights.begin() + static_cast<std::ptrdiff_t>(first));
        EXPECT_EQ(same, parameter.frozen) << parameter.name;
      }
      for (const int threads : {1, 3}) {
        const TrainResult shared = run(test_comm(), net, each, threads, begin);
        EXPECT_EQ(shared.weights_digest, alone.weights_digest);
        EXPECT_EQ(shared.weights, alone.weights);
        EXPECT_EQ(shared.validation.loss_sum, alone.validation.loss_sum);
      }
    }
  }
}

// What is frozen has no part in the norm that is clipped.
TEST_F(Frozen, GradientsAreNoPartOfTheNorm) {
  const auto norm = [&](const Network& net) {
    const TrainingData data(test_comm(), options(), kLanes, kSeed);
    Workers workers(1, prepare_worker_thread);
    const TrainSettings each = settings();
    CpuStepper stepper(test_comm(), net, data, workers, each.parallel, each.train, kSeed);
    const StepSum sum = stepper.step(0, 0, 0.01F);
    double of_head = 0;
    for (const Parameter& parameter : net.parameters()) {
      if (!parameter.name.starts_with("6.")) continue;
      for (std::int64_t i = parameter.range.first; i < parameter.range.last; ++i) {
        const double g = sum.gradients[static_cast<std::size_t>(i)];
        of_head += g * g;
      }
    }
    return std::pair(sum.square_norm, of_head);
  };
  const auto [whole, head_of_whole] = norm(network({}));
  const auto [head, head_alone] = norm(network({"*", "!6.*"}));
  EXPECT_GT(whole, 1.01 * head_of_whole);
  EXPECT_NEAR(head, head_alone, 1e-9 * head);
}

// The file's digest, and which statistics are of it, go from checkpoint to checkpoint.
TEST_F(Frozen, ResumedRunIsTheWholeOne) {
  const Network net = network({"0.*", "1.*"});
  std::vector<float> begin = net.initial_weights(kSeed + 1);
  const TrainResult whole = run(test_comm(), net, settings(), 1, begin);
  TrainSettings each = settings();
  each.run_dir = folder_.path("run");
  if (test_comm().rank() == 0) std::filesystem::create_directories(folder_.path("run/checkpoints"));
  each.initial_digest = "0123";
  each.checkpoint.every_steps = 5;
  each.last_step = 10;
  run(test_comm(), net, each, 1, begin);
  test_comm().barrier();
  each.initial_digest.clear();
  each.resume_from = read_checkpoint(checkpoint_folder(each.run_dir, 10));
  EXPECT_EQ(read_run_state(each.resume_from).initial_digest, "0123");
  EXPECT_EQ(read_run_state(each.resume_from).taken_statistics, kTaken);
  each.last_step = -1;
  const TrainResult resumed = run(test_comm(), net, each, 2);
  EXPECT_EQ(resumed.weights_digest, whole.weights_digest);
  EXPECT_EQ(resumed.weights, whole.weights);
  test_comm().barrier();
  EXPECT_EQ(read_run_state(read_checkpoint(checkpoint_folder(each.run_dir, 18))).initial_digest,
            "0123");
  test_comm().barrier();
}

}  // namespace
}  // namespace lockstep
