#include "lockstep/callbacks/reduce_on_plateau.h"

#include <limits>
#include <vector>

#include "callbacks/events.h"

namespace lockstep {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

ReduceOnPlateauOptions options(int patience) {
  ReduceOnPlateauOptions options;
  options.patience = patience;
  options.factor = 0.25;
  options.min_delta = 0;
  options.min_learning_rate = 0.03125;
  return options;
}

// The factor asked for after each loss.
std::vector<double> factors(ReduceOnPlateau& callback, const std::vector<double>& losses) {
  std::vector<double> all;
  for (std::size_t epoch = 0; epoch < losses.size(); ++epoch) {
    const auto event = epoch_event(static_cast<int>(epoch), Metric::kValLoss, losses[epoch]);
    all.push_back(callback.on_epoch_end(event).learning_rate_factor);
  }
  return all;
}

std::vector<double> factors(int patience, const std::vector<double>& losses) {
  ReduceOnPlateau callback(options(patience));
  callback.on_run_begin(run_event());
  return factors(callback, losses);
}

TEST(ReduceOnPlateau, ReducesAfterPatienceAndCountsAgain) {
  EXPECT_EQ(factors(2, {1, 1, 1, 1, 1, 0.5, 0.75, 0.25}),
            std::vector<double>({1, 1, 0.25, 1, 0.25, 1, 1, 1}));
  EXPECT_EQ(factors(1, {1, 2, 0.5, 0.5}), std::vector<double>({1, 0.25, 1, 0.25}));
}

TEST(ReduceOnPlateau, CountsNanAsNoImprovement) {
  EXPECT_EQ(factors(2, {1, kNan, kNan, 1}), std::vector<double>({1, 1, 0.25, 1}));
}

TEST(ReduceOnPlateau, NamesTheMinimum) {
  ReduceOnPlateau callback(options(1));
  callback.on_run_begin(run_event());
  EXPECT_EQ(callback.on_epoch_end(epoch_event(0, Metric::kValLoss, 1)).min_learning_rate, 0);
  const Directive directive = callback.on_epoch_end(epoch_event(1, Metric::kValLoss, 1));
  EXPECT_EQ(directive.min_learning_rate, 0.03125);
  EXPECT_FALSE(directive.stop);
}

TEST(ReduceOnPlateau, AsksNothingAtTheMinimum) {
  ReduceOnPlateau callback(options(1));
  callback.on_run_begin(run_event());
  callback.on_epoch_end(epoch_event(0, Metric::kValLoss, 1));
  EpochEvent event = epoch_event(1, Metric::kValLoss, 1);
  event.learning_rate = 0.03125;
  EXPECT_EQ(callback.on_epoch_end(event).learning_rate_factor, 1);
}

TEST(ReduceOnPlateau, WatchesAccuracyToo) {
  ReduceOnPlateauOptions accuracy = options(1);
  accuracy.monitor = Metric::kValAccuracy;
  ReduceOnPlateau callback(accuracy);
  callback.on_run_begin(run_event());
  const auto factor = [&](int epoch, double value) {
    return callback.on_epoch_end(epoch_event(epoch, Metric::kValAccuracy, value))
        .learning_rate_factor;
  };
  EXPECT_EQ(factor(0, 0.5), 1);
  EXPECT_EQ(factor(1, 0.75), 1);
  EXPECT_EQ(factor(2, 0.625), 0.25);
}

TEST(ReduceOnPlateau, IsOffWithoutValidationRows) {
  ReduceOnPlateau callback(options(1));
  RunEvent run = run_event();
  run.data.validation_rows = 0;
  callback.on_run_begin(run);
  EXPECT_EQ(factors(callback, {kNan, kNan, kNan}), std::vector<double>({1, 1, 1}));
}

TEST(ReduceOnPlateau, GoesOnCountingAfterAResume) {
  ReduceOnPlateau before(options(3));
  before.on_run_begin(run_event());
  factors(before, {0.1, 0.2, 0.3});
  ReduceOnPlateau after(options(3));
  after.load_state(before.save_state());
  after.on_run_begin(run_event());
  EXPECT_EQ(after.save_state(), before.save_state());
  EXPECT_EQ(factors(after, {0.1, 0.1}), std::vector<double>({0.25, 1}));
}

}  // namespace
}  // namespace lockstep
