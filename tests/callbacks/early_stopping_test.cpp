#include "lockstep/callbacks/early_stopping.h"

#include <initializer_list>
#include <limits>

#include "callbacks/events.h"

namespace lockstep {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

EarlyStoppingOptions patience(int epochs) {
  EarlyStoppingOptions options;
  options.patience = epochs;
  return options;
}

// The epoch (from 0) at which the accuracies stop a long run; -1 if none does.
int stops_at(const EarlyStoppingOptions& options, std::initializer_list<double> accuracies) {
  EarlyStopping callback(options);
  RunEvent run = run_event();
  run.epochs = 100;
  callback.on_run_begin(run);
  int epoch = 0;
  for (const double accuracy : accuracies) {
    if (callback.on_epoch_end(epoch_event(epoch, Metric::kValAccuracy, accuracy)).stop) {
      return epoch;
    }
    ++epoch;
  }
  return -1;
}

TEST(EarlyStopping, CountsEpochsInARow) {
  EXPECT_EQ(stops_at(patience(2), {0.5, 0.4, 0.6, 0.6, 0.5, 0.7}), 4);
  EXPECT_EQ(stops_at(patience(3), {0.5, 0.4, 0.6, 0.6, 0.5, 0.7}), -1);
  EXPECT_EQ(stops_at(patience(1), {0.5, 0.4, 0.6, 0.6, 0.5, 0.7}), 1);
}

TEST(EarlyStopping, TakesPatienceZeroAsOne) {
  EXPECT_EQ(stops_at(patience(0), {0.5, 0.6, 0.7, 0.7, 0.8}), 3);
}

TEST(EarlyStopping, CountsNanAsNoImprovement) {
  EXPECT_EQ(stops_at(patience(2), {0.5, kNan, kNan}), 2);
  EXPECT_EQ(stops_at(patience(3), {kNan, kNan, kNan}), 2);
}

TEST(EarlyStopping, NeverStopsAtTheFirstEpoch) {
  EXPECT_EQ(stops_at(patience(1), {kNan, 0.5, 0.4}), 2);
  EXPECT_EQ(stops_at(patience(1), {kNan, kNan}), 1);
}

TEST(EarlyStopping, WantsMoreThanTheDelta) {
  EarlyStoppingOptions options = patience(2);
  options.min_delta = 0.125;
  EXPECT_EQ(stops_at(options, {0.5, 0.5625, 0.625}), 2);
  EXPECT_EQ(stops_at(options, {0.5, 0.5625, 0.6875}), -1);
}

TEST(EarlyStopping, RestoresTheBestWhenItStops) {
  EarlyStopping callback(patience(1));
  callback.on_run_begin(run_event());
  EXPECT_FALSE(callback.on_epoch_end(epoch_event(0, Metric::kValAccuracy, 0.75)).restore_best);
  const Directive directive = callback.on_epoch_end(epoch_event(1, Metric::kValAccuracy, 0.5));
  EXPECT_TRUE(directive.stop);
  EXPECT_TRUE(directive.restore_best);
  EXPECT_FALSE(directive.keep_as_best);
  EXPECT_EQ(directive.reason,
            "early stopping: no better val_accuracy for 1 epoch (best 0.75 in epoch 1)");
}

TEST(EarlyStopping, RestoresTheBestAtTheLastEpoch) {
  EarlyStopping callback(patience(5));
  callback.on_run_begin(run_event());
  callback.on_epoch_end(epoch_event(0, Metric::kValAccuracy, 0.75));
  EXPECT_FALSE(callback.on_epoch_end(epoch_event(1, Metric::kValAccuracy, 0.5)).restore_best);
  const Directive directive = callback.on_epoch_end(epoch_event(2, Metric::kValAccuracy, 0.5));
  EXPECT_FALSE(directive.stop);
  EXPECT_TRUE(directive.restore_best);
}

TEST(EarlyStopping, RestoresNothingIfNotAskedOrWithoutABest) {
  EarlyStoppingOptions options = patience(1);
  options.restore_best = false;
  EarlyStopping unasked(options);
  unasked.on_run_begin(run_event());
  unasked.on_epoch_end(epoch_event(0, Metric::kValAccuracy, 0.75));
  EXPECT_FALSE(unasked.on_epoch_end(epoch_event(1, Metric::kValAccuracy, 0.5)).restore_best);

  EarlyStopping nothing_best(patience(2));
  nothing_best.on_run_begin(run_event());
  nothing_best.on_epoch_end(epoch_event(0, Metric::kValAccuracy, kNan));
  const Directive directive = nothing_best.on_epoch_end(epoch_event(1, Metric::kValAccuracy, kNan));
  EXPECT_TRUE(directive.stop);
  EXPECT_FALSE(directive.restore_best);
  EXPECT_EQ(directive.reason, "early stopping: no better val_accuracy for 2 epochs");
}

TEST(EarlyStopping, IsOffWithoutValidationRows) {
  EarlyStopping callback(patience(1));
  RunEvent run = run_event();
  run.data.validation_rows = 0;
  callback.on_run_begin(run);
  for (int epoch = 0; epoch < 3; ++epoch) {
    const Directive directive =
        callback.on_epoch_end(epoch_event(epoch, Metric::kValAccuracy, kNan));
    EXPECT_FALSE(directive.stop);
    EXPECT_FALSE(directive.restore_best);
  }
}

TEST(EarlyStopping, GoesOnCountingAfterAResume) {
  EarlyStopping before(patience(3));
  before.on_run_begin(run_event());
  before.on_epoch_end(epoch_event(0, Metric::kValAccuracy, 1.0 / 3.0));
  before.on_epoch_end(epoch_event(1, Metric::kValAccuracy, 0.25));

  EarlyStopping after(patience(3));
  after.load_state(before.save_state());
  after.on_run_begin(run_event());
  EXPECT_EQ(after.save_state(), before.save_state());
  EXPECT_FALSE(after.on_epoch_end(epoch_event(2, Metric::kValAccuracy, 1.0 / 3.0)).stop);
  EXPECT_TRUE(after.on_epoch_end(epoch_event(3, Metric::kValAccuracy, 1.0 / 3.0)).stop);
}

}  // namespace
}  // namespace lockstep
