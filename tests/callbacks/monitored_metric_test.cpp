#include "lockstep/callbacks/monitored_metric.h"

#include <limits>

#include "callbacks/events.h"
#include "lockstep/core/error.h"

namespace lockstep {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(MonitoredMetric, WantsAccuracyToGrowByMoreThanTheDelta) {
  MonitoredMetric metric(Metric::kValAccuracy, 0.25);
  EXPECT_TRUE(metric.update(epoch_event(0, Metric::kValAccuracy, 0.25)));
  EXPECT_FALSE(metric.update(epoch_event(1, Metric::kValAccuracy, 0.5)));
  EXPECT_TRUE(metric.update(epoch_event(2, Metric::kValAccuracy, 0.625)));
  EXPECT_EQ(metric.best(), 0.625);
  EXPECT_EQ(metric.best_epoch(), 2);
}

TEST(MonitoredMetric, WantsLossToFallByMoreThanTheDelta) {
  MonitoredMetric metric(Metric::kValLoss, 0.5);
  EXPECT_TRUE(metric.update(epoch_event(0, Metric::kValLoss, 2)));
  EXPECT_FALSE(metric.update(epoch_event(1, Metric::kValLoss, 1.5)));
  EXPECT_TRUE(metric.update(epoch_event(2, Metric::kValLoss, 1.25)));
  EXPECT_EQ(metric.best(), 1.25);
}

TEST(MonitoredMetric, ComparesWithTheBestAndNotWithTheLast) {
  MonitoredMetric metric(Metric::kValLoss, 0);
  EXPECT_TRUE(metric.update(epoch_event(0, Metric::kValLoss, 1)));
  EXPECT_FALSE(metric.update(epoch_event(1, Metric::kValLoss, 3)));
  EXPECT_FALSE(metric.update(epoch_event(2, Metric::kValLoss, 2)));
  EXPECT_FALSE(metric.update(epoch_event(3, Metric::kValLoss, 1)));
  EXPECT_EQ(metric.epochs_without_improvement(), 3);
}

TEST(MonitoredMetric, TakesNothingThatIsNotFinite) {
  MonitoredMetric metric(Metric::kValAccuracy, 0);
  EXPECT_FALSE(metric.update(epoch_event(0, Metric::kValAccuracy, kNan)));
  EXPECT_FALSE(metric.update(epoch_event(1, Metric::kValAccuracy, kInfinity)));
  EXPECT_FALSE(metric.best().has_value());
  EXPECT_EQ(metric.best_epoch(), -1);
  EXPECT_EQ(metric.epochs_without_improvement(), 2);
  EXPECT_TRUE(metric.update(epoch_event(2, Metric::kValAccuracy, 0.5)));
  EXPECT_FALSE(metric.update(epoch_event(3, Metric::kValAccuracy, kNan)));
  EXPECT_EQ(metric.best(), 0.5);
}

void expect_round_trip(double value) {
  MonitoredMetric metric(Metric::kValLoss, 0);
  metric.update(epoch_event(6, Metric::kValLoss, value));
  metric.update(epoch_event(7, Metric::kValLoss, kNan));
  MonitoredMetric other(Metric::kValLoss, 0);
  other.load(metric.save(), "test");
  EXPECT_EQ(other.best(), value);
  EXPECT_EQ(other.best_epoch(), 6);
  EXPECT_EQ(other.epochs_without_improvement(), 1);
  EXPECT_EQ(other.save(), metric.save());
}

TEST(MonitoredMetric, SavesDoublesExactly) {
  for (const double value : {0.1, 1.0 / 3.0, 1e-308, 5e-324, 0x1.fffffffffffffp1023, 0.0, 2.0}) {
    expect_round_trip(value);
  }
}

TEST(MonitoredMetric, SavesThatNothingWasBest) {
  MonitoredMetric metric(Metric::kValLoss, 0);
  metric.update(epoch_event(0, Metric::kValLoss, kNan));
  EXPECT_EQ(metric.save(), R"({"best":null,"best_epoch":-1,"epochs_without_improvement":1})");
  MonitoredMetric other(Metric::kValLoss, 0);
  other.update(epoch_event(0, Metric::kValLoss, 1));
  other.load(metric.save(), "test");
  EXPECT_FALSE(other.best().has_value());
}

TEST(MonitoredMetric, RefusesOtherText) {
  MonitoredMetric metric(Metric::kValLoss, 0);
  for (const char* state : {"", "{", "[]", "{}", R"({"best":"x","best_epoch":1})"}) {
    try {
      metric.load(state, "early_stopping");
      ADD_FAILURE() << "accepted: " << state;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      EXPECT_NE(std::string(error.what()).find("early_stopping"), std::string::npos);
      EXPECT_NE(std::string(error.what()).find(state), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace lockstep
