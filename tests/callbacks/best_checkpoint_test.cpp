#include "lockstep/callbacks/best_checkpoint.h"

#include <limits>

#include "callbacks/events.h"

namespace lockstep {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(BestCheckpoint, KeepsEachBetterEpoch) {
  BestCheckpoint callback({Metric::kValAccuracy});
  callback.on_run_begin(run_event());
  const auto keeps = [&](int epoch, double value) {
    return callback.on_epoch_end(epoch_event(epoch, Metric::kValAccuracy, value)).keep_as_best;
  };
  EXPECT_FALSE(keeps(0, kNan));
  EXPECT_TRUE(keeps(1, 0.5));
  EXPECT_FALSE(keeps(2, 0.5));
  EXPECT_TRUE(keeps(3, 0.75));
  EXPECT_FALSE(keeps(4, 0.625));
}

TEST(BestCheckpoint, MayWatchTheLoss) {
  BestCheckpoint callback({Metric::kValLoss});
  callback.on_run_begin(run_event());
  EXPECT_TRUE(callback.on_epoch_end(epoch_event(0, Metric::kValLoss, 2)).keep_as_best);
  EXPECT_FALSE(callback.on_epoch_end(epoch_event(1, Metric::kValLoss, 3)).keep_as_best);
  EXPECT_TRUE(callback.on_epoch_end(epoch_event(2, Metric::kValLoss, 1)).keep_as_best);
}

TEST(BestCheckpoint, KeepsTheLatestWithoutValidationRows) {
  BestCheckpoint callback({Metric::kValAccuracy});
  RunEvent run = run_event();
  run.data.validation_rows = 0;
  callback.on_run_begin(run);
  for (int epoch = 0; epoch < 3; ++epoch) {
    EXPECT_TRUE(callback.on_epoch_end(epoch_event(epoch, Metric::kValAccuracy, kNan)).keep_as_best);
  }
}

TEST(BestCheckpoint, MayTakeTheLast) {
  BestCheckpoint callback({.monitor = Metric::kValAccuracy, .last = true});
  callback.on_run_begin(run_event());
  for (const double value : {0.75, 0.5, 0.625}) {
    EXPECT_TRUE(callback.on_epoch_end(epoch_event(0, Metric::kValAccuracy, value)).keep_as_best);
  }
}

TEST(BestCheckpoint, KnowsTheBestAfterAResume) {
  BestCheckpoint before({Metric::kValAccuracy});
  before.on_run_begin(run_event());
  before.on_epoch_end(epoch_event(0, Metric::kValAccuracy, 0.7));
  BestCheckpoint after({Metric::kValAccuracy});
  after.load_state(before.save_state());
  after.on_run_begin(run_event());
  EXPECT_FALSE(after.on_epoch_end(epoch_event(1, Metric::kValAccuracy, 0.7)).keep_as_best);
}

}  // namespace
}  // namespace lockstep
