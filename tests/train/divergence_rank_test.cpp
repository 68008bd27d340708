// Trainings that meet gradients that are not finite. A NaN in a pixel of one lane stands
// for the fault, so that one rank alone has it. 997 rows, five lanes, 9 steps an epoch.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "data/samples.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/train/trainer.h"
#include "support/rank_test.h"

namespace lockstep {
namespace {

constexpr int kLanes = 5;
constexpr int kFaultyLane = 3;
constexpr std::uint64_t kSeed = 23;
constexpr float kRate = 1e-3F;

// Whether step `step` of the run, from 1, is spoilt when it is computed for the time
// `time`, from 1.
using Fault = std::function<bool(std::int64_t step, int time)>;

Fault first_time(std::vector<std::int64_t> steps) {
  return [steps = std::move(steps)](std::int64_t step, int time) {
    return time == 1 && std::find(steps.begin(), steps.end(), step) != steps.end();
  };
}

DataOptions data_options(const std::string& path) {
  DataOptions options = samples::options();
  options.train.path = path;
  return options;
}

class FaultyData : public TrainingData {
 public:
  FaultyData(Communicator& comm, const std::string& path, Fault fault)
      : TrainingData(comm, data_options(path), kLanes, kSeed), fault_(std::move(fault)) {}

  void fill_batch(int lane, int epoch, std::int64_t step, int global_batch,
                  Batch& batch) const override {
    TrainingData::fill_batch(lane, epoch, step, global_batch, batch);
    if (lane != kFaultyLane) return;
    const std::int64_t of_run = epoch * steps_per_epoch(global_batch) + step + 1;
    if (!fault_(of_run, ++times_[of_run])) return;
    batch.images.front() = std::numeric_limits<float>::quiet_NaN();
  }

 private:
  Fault fault_;
  mutable std::map<std::int64_t, int> times_;  // of the rank that owns the lane
};

Network network() {
  return Network({{ConvOptions{.filters = 4, .activation = ActivationKind::kRelu},
                   BatchNormOptions{}, FlattenOptions{}, DenseOptions{.units = samples::kClasses}}},
                 samples::options().shape, samples::kClasses);
}

TrainSettings settings() {
  TrainSettings settings;
  settings.parallel.global_batch = 96;
  settings.parallel.lanes = kLanes;
  settings.train.epochs = 2;
  settings.train.optimizer = AdamOptions{.learning_rate = kRate};
  settings.checkpoint.every_steps = 4;
  settings.checkpoint.keep_last = 100;
  settings.seed = kSeed;
  settings.class_names = {"0", "1", "2", "3", "4", "5", "6"};
  return settings;
}

// What the loop tells its callbacks; it has a state, the number of steps.
class Probe : public Callback {
 public:
  struct Record {
    std::vector<std::int64_t> begins;  // first_step of each
    std::vector<EpochEvent> epochs;
    std::vector<float> rates;  // of the steps
    std::string steps;         // the state at the end
    std::vector<EndEvent> ends;
  };

  explicit Probe(Record& record) : record_(record) {}

  void on_run_begin(const RunEvent& event) override { record_.begins.push_back(event.first_step); }
  void on_step(const StepEvent& event) override {
    ++steps_;
    record_.rates.push_back(static_cast<float>(event.learning_rate));
  }
  Directive on_epoch_end(const EpochEvent& event) override {
    record_.epochs.push_back(event);
    return {};
  }
  void on_run_end(const EndEvent& event) override {
    record_.steps = save_state();
    record_.ends.push_back(event);
  }
  std::string name() const override { return "probe"; }
  std::string save_state() const override { return std::to_string(steps_); }
  void load_state(const std::string& state) override { steps_ = std::stoi(state); }

 private:
  Record& record_;
  int steps_ = 0;
};

class Divergence : public testing::Test {
 protected:
  TrainResult run(const TrainSettings& settings, const Fault& fault) {
    return run(test_comm(), settings, fault, 2);
  }
  TrainResult run(Communicator& comm, const TrainSettings& settings, const Fault& fault,
                  int worker_count) {
    record_ = {};
    const FaultyData data(comm, path_, fault);
    Workers workers(worker_count, prepare_worker_thread);
    std::vector<std::unique_ptr<Callback>> callbacks;
    callbacks.push_back(std::make_unique<Probe>(record_));
    return train(comm, network_, data, workers, settings, callbacks);
  }

  // The text of the Error that ends the training; it is agreed.
  std::string error_of(const TrainSettings& settings, const Fault& fault) {
    try {
      run(settings, fault);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kDiverged) << error.what();
      EXPECT_EQ(error.reach(), Reach::kAgreed);
      return error.what();
    }
    return "nothing was thrown";
  }

  fs::path run_dir(const std::string& name) const { return folder_.path(name); }

  // Collective: what rank 0 saved after a step.
  CheckpointFiles saved(const fs::path& run_dir, std::int64_t step) const {
    test_comm().barrier();
    return read_checkpoint(checkpoint_folder(run_dir, step));
  }

  // Goes on from `files` to `last_step` with `rate`, without faults; gives the
  // result and what was saved then.
  std::pair<TrainResult, CheckpointFiles> go_on(const CheckpointFiles& files, float rate,
                                                std::int64_t last_step, const char* name) {
    TrainSettings each = settings();
    each.resume_from = files;
    each.train.optimizer = AdamOptions{.learning_rate = rate};
    each.last_step = last_step;
    each.run_dir = run_dir(name);
    TrainResult result = run(each, first_time({}));
    return {result, last_step < 0 ? CheckpointFiles{} : saved(each.run_dir, last_step)};
  }

  // " in lane 3 on rank r": where the fault is.
  std::string faulty_rank() const {
    int rank = 0;
    while (share_of(kLanes, test_comm().world_size(), rank).last <= kFaultyLane) ++rank;
    return fmt::format("\"0.conv.weight\" in lane {} on rank {}", kFaultyLane, rank);
  }

  samples::SharedFolder folder_{test_comm()};
  std::string path_ = folder_.write("train.csv", samples::csv(samples::kRows));
  std::unique_ptr<Communicator> self_ = connect_self();
  Network network_ = network();
  Probe::Record record_;
};

// One step an epoch, so that each step's weights are told.
TEST_F(Divergence, OneOrTwoStepsAreSkippedWithAllTheirEffects) {
  TrainSettings each = settings();
  each.parallel.global_batch = samples::kRows;
  each.train.epochs = 4;
  const TrainResult result = run(each, first_time({1, 2}));
  EXPECT_EQ(result.steps, 4);
  if (test_comm().rank() == 0) {
    ASSERT_EQ(record_.epochs.size(), 4U);
    const Weights begin(network_.initial_weights(kSeed), Precision::kFp32);
    for (const std::size_t skipped : {0, 1}) {
      EXPECT_EQ(record_.epochs[skipped].weights_digest, begin.digest(network_));
      EXPECT_TRUE(std::isnan(record_.epochs[skipped].train_loss));
    }
    EXPECT_EQ(record_.begins, (std::vector<std::int64_t>{0}));
    EXPECT_EQ(record_.rates, (std::vector<float>(4, kRate)));
  }

  // All rows are in each step, so the two that count are the first two of a training
  // without the skipped ones, but for the order of the rows.
  each.train.epochs = 2;
  const TrainResult two = run(each, first_time({}));
  for (std::size_t i = 0; i < two.weights.size(); ++i) {
    ASSERT_NEAR(result.weights[i], two.weights[i], 2e-5) << i;
  }
}

TEST_F(Divergence, TheSameStepsAreSkippedAtEveryWorldSize) {
  const Fault fault = first_time({2, 3, 7, 9, 10, 17, 18});  // 9 and 10: of two epochs
  const TrainResult alone = run(*self_, settings(), fault, 1);
  const TrainResult shared = run(settings(), fault);
  EXPECT_EQ(shared.weights_digest, alone.weights_digest);
  EXPECT_EQ(shared.steps, 18);
  EXPECT_NE(run(settings(), first_time({})).weights_digest, alone.weights_digest);
}

TEST_F(Divergence, AfterThreeInARowItGoesBackWithHalfTheRate) {
  TrainSettings each = settings();
  each.run_dir = run_dir("back");
  const TrainResult back = run(each, first_time({6, 7, 8}));
  EXPECT_EQ(back.steps, 18);
  if (test_comm().rank() == 0) {
    EXPECT_EQ(record_.begins, (std::vector<std::int64_t>{0, 4}));
    EXPECT_EQ(record_.steps, "18");  // the third one went back with the rest
    std::vector<float> rates(7, kRate);
    rates.resize(7 + 14, kRate / 2);
    EXPECT_EQ(record_.rates, rates);
    ASSERT_EQ(record_.ends.size(), 1U);
    EXPECT_EQ(record_.ends[0].outcome, RunOutcome::kDone);
  }

  // The same by hand: to step 4, and on from there with half the rate.
  const auto [begin, files] = go_on({}, kRate, 4, "begin");
  EXPECT_EQ(back.weights_digest, go_on(files, kRate / 2, -1, "end").first.weights_digest);

  EXPECT_EQ(run(*self_, settings(), first_time({6, 7, 8}), 1).weights_digest, back.weights_digest);
}

TEST_F(Divergence, TheHalvedRateOutlivesTheProcess) {
  TrainSettings each = settings();
  each.run_dir = run_dir("whole");
  const TrainResult whole = run(each, first_time({6, 7, 8}));
  for (const std::int64_t step : {4, 12}) {
    const CheckpointFiles files = saved(each.run_dir, step);
    const LoopState loop = read_run_state(files).loop;
    EXPECT_EQ(loop.recovery_factor, 0.5);
    EXPECT_EQ(loop.diverged_step, 8);
    EXPECT_EQ(loop.skipped_in_row, 0);
    EXPECT_EQ(go_on(files, kRate, -1, "rest").first.weights_digest, whole.weights_digest);
  }
}

TEST_F(Divergence, ItGoesBackAgainOnceACheckpointIsPastThePoint) {
  const Fault fault = first_time({6, 7, 8, 14, 15, 16});
  const TrainResult twice = run(settings(), fault);
  const auto [begin, at_4] = go_on({}, kRate, 4, "first");
  const auto [middle, at_12] = go_on(at_4, kRate / 2, 12, "second");
  EXPECT_EQ(twice.weights_digest, go_on(at_12, kRate / 4, -1, "third").first.weights_digest);
  EXPECT_EQ(run(*self_, settings(), fault, 1).weights_digest, twice.weights_digest);
}

// No checkpoint is made amid skipped steps, so that the way back leads before them.
TEST_F(Divergence, ItNeverGoesBackToASkippedStep) {
  TrainSettings each = settings();
  each.checkpoint.every_steps = 1;
  run(each, first_time({6, 7, 8}));
  if (test_comm().rank() != 0) return;
  EXPECT_EQ(record_.begins, (std::vector<std::int64_t>{0, 5}));
}

TEST_F(Divergence, BeyondHelpItIsAnErrorThatNamesStepRankAndTensor) {
  const auto always = [](std::int64_t step, int /*time*/) { return step >= 6; };
  TrainSettings each = settings();
  const std::string again = error_of(each, always);
  EXPECT_EQ(again.find("training diverged at step 8: 3 steps in a row had gradients that are not "
                       "finite (first " +
                       faulty_rank() + "), and going back"),
            0U)
      << again;
  if (test_comm().rank() == 0) {
    EXPECT_EQ(record_.begins, (std::vector<std::int64_t>{0, 4}));
    EXPECT_EQ(record_.rates.size(), 7U + 3U);
    ASSERT_EQ(record_.ends.size(), 1U);
    EXPECT_EQ(record_.ends[0].outcome, RunOutcome::kDiverged);
    EXPECT_EQ(record_.ends[0].reason, again);
  }

  each.checkpoint.every_steps = 0;
  const std::string at_once = error_of(each, always);
  EXPECT_NE(at_once.find("at step 8"), std::string::npos) << at_once;
  EXPECT_NE(at_once.find("there is no checkpoint to go back to"), std::string::npos) << at_once;
  if (test_comm().rank() != 0) return;
  EXPECT_EQ(record_.begins.size(), 1U);
}

}  // namespace
}  // namespace lockstep
