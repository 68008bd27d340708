#include "lockstep/train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

namespace lockstep {
namespace {

TEST(Schedule, ConstantIsOne) {
  for (const std::int64_t step : {0, 1, 99}) {
    EXPECT_EQ(schedule_factor(ConstantSchedule{}, {100, 10}, step), 1);
  }
}

// By PyTorch's OneCycleLR(max_lr=1, total_steps=100, pct_start=0.3, div_factor=25,
// final_div_factor=1e4, anneal_strategy="cos").
TEST(Schedule, OneCycleIsThatOfPyTorch) {
  const std::vector<std::pair<std::int64_t, double>> known = {{0, 0.040000000000000036},
                                                              {1, 0.042813780565907456},
                                                              {7, 0.17152216387689723},
                                                              {25, 0.9556362014420593},
                                                              {28, 0.9971862194340926},
                                                              {29, 1.0},
                                                              {30, 0.9994965352845243},
                                                              {31, 0.9979871550490316},
                                                              {50, 0.793893450575732},
                                                              {98, 0.0005074647154757879},
                                                              {99, 4e-06}};
  for (const auto& [step, factor] : known) {
    EXPECT_NEAR(schedule_factor(OneCycleSchedule{}, {100, 10}, step), factor, 1e-12) << step;
  }
}

// The same with total_steps=997, pct_start=0.25, div_factor=10, final_div_factor=100:
// the peak lies between two steps.
TEST(Schedule, OneCycleWithAnAwkwardPeakIsThatOfPyTorch) {
  const OneCycleSchedule schedule{
      .warmup_fraction = 0.25, .initial_divisor = 10, .final_divisor = 100};
  const std::vector<std::pair<std::int64_t, double>> known = {
      {0, 0.09999999999999998},     {1, 0.10003603279519324},
      {7, 0.10176447621828011},     {247, 0.99994369918016},
      {248, 0.9999977479221236},    {249, 0.9999975202119301},
      {250, 0.9999864989812685},    {498, 0.7493407306648303},
      {995, 0.0010044085092872751}, {996, 0.001}};
  for (const auto& [step, factor] : known) {
    EXPECT_NEAR(schedule_factor(schedule, {997, 100}, step), factor, 1e-12) << step;
  }
}

TEST(Schedule, OneCycleWithoutWarmupBeginsAtItsPeak) {
  const OneCycleSchedule schedule{.warmup_fraction = 0, .initial_divisor = 10, .final_divisor = 10};
  EXPECT_NEAR(schedule_factor(schedule, {11, 11}, 0), 1, 1e-12);
  EXPECT_NEAR(schedule_factor(schedule, {11, 11}, 5), (1 + 0.01) / 2, 1e-12);
  EXPECT_NEAR(schedule_factor(schedule, {11, 11}, 10), 0.01, 1e-12);
}

TEST(Schedule, WarmupCosineRisesInEqualStepsToOneAndFallsToTheFinalFactor) {
  const WarmupCosineSchedule schedule{.warmup_epochs = 2, .final_factor = 0.1};
  const ScheduleSpan span{101, 10};  // 20 steps of warm-up
  for (std::int64_t step = 0; step <= 20; ++step) {
    EXPECT_NEAR(schedule_factor(schedule, span, step), static_cast<double>(step + 1) / 21, 1e-12);
  }
  EXPECT_NEAR(schedule_factor(schedule, span, 60), (1 + 0.1) / 2, 1e-12);  // halfway down
  EXPECT_NEAR(schedule_factor(schedule, span, 40), 0.1 + 0.9 * (1 + std::sqrt(0.5)) / 2, 1e-12);
  EXPECT_NEAR(schedule_factor(schedule, span, 100), 0.1, 1e-12);
}

TEST(Schedule, WarmupCosineWithoutWarmupBeginsAtOne) {
  const WarmupCosineSchedule schedule{.warmup_epochs = 0, .final_factor = 0};
  EXPECT_NEAR(schedule_factor(schedule, {31, 10}, 0), 1, 1e-12);
  EXPECT_NEAR(schedule_factor(schedule, {31, 10}, 15), 0.5, 1e-12);
  EXPECT_NEAR(schedule_factor(schedule, {31, 10}, 30), 0, 1e-12);
}

// A triangle: up in equal steps to 1, down in equal steps to the last.
TEST(Schedule, LinearRisesAndFallsInEqualSteps) {
  const LinearSchedule triangle{.warmup_epochs = 2, .final_factor = 0};
  const ScheduleSpan span{101, 10};  // 20 steps of warm-up
  for (std::int64_t step = 0; step <= 20; ++step) {
    EXPECT_NEAR(schedule_factor(triangle, span, step), static_cast<double>(step + 1) / 21, 1e-12);
  }
  for (std::int64_t step = 20; step <= 100; ++step) {
    EXPECT_NEAR(schedule_factor(triangle, span, step), static_cast<double>(100 - step) / 80, 1e-12);
  }
  const LinearSchedule down{.warmup_epochs = 0, .final_factor = 0.2};
  EXPECT_NEAR(schedule_factor(down, span, 0), 1, 1e-12);
  EXPECT_NEAR(schedule_factor(down, span, 50), 0.6, 1e-12);
  EXPECT_NEAR(schedule_factor(down, span, 100), 0.2, 1e-12);
}

// By PyTorch's MultiStepLR and StepLR, whose epochs begin where ours do.
TEST(Schedule, StepFallsAtMilestonesOrSoOften) {
  const ScheduleSpan span{100, 10};
  const StepSchedule at{.milestones = {2, 3.5, 9}, .factor = 0.1};
  const std::vector<std::pair<std::int64_t, double>> known = {
      {0, 1}, {19, 1}, {20, 0.1}, {34, 0.1}, {35, 0.01}, {89, 0.01}, {90, 0.001}, {99, 0.001}};
  for (const auto& [step, factor] : known) {
    EXPECT_NEAR(schedule_factor(at, span, step), factor, 1e-12) << step;
  }
  const StepSchedule often{.every_epochs = 3, .factor = 0.5};
  for (std::int64_t step = 0; step < 100; ++step) {
    EXPECT_NEAR(schedule_factor(often, span, step), std::pow(0.5, static_cast<double>(step / 30)),
                1e-12)
        << step;
  }
}

TEST(Schedule, StepRisesFirst) {
  const StepSchedule schedule{.milestones = {1, 4}, .factor = 0.5, .warmup_epochs = 2};
  const ScheduleSpan span{50, 10};
  EXPECT_NEAR(schedule_factor(schedule, span, 0), 1.0 / 21, 1e-12);
  EXPECT_NEAR(schedule_factor(schedule, span, 9), 10.0 / 21, 1e-12);
  EXPECT_NEAR(schedule_factor(schedule, span, 10), 0.5 * 11 / 21, 1e-12);
  EXPECT_NEAR(schedule_factor(schedule, span, 20), 0.5, 1e-12);
  EXPECT_NEAR(schedule_factor(schedule, span, 40), 0.25, 1e-12);
}

// Shorter than its warm-up, or of one step: factors stay in (0, 1].
TEST(Schedule, ShortRunsStayInRange) {
  const std::vector<ScheduleOptions> schedules = {
      WarmupCosineSchedule{.warmup_epochs = 5},
      WarmupCosineSchedule{.warmup_epochs = 0.3},
      OneCycleSchedule{},
      OneCycleSchedule{.warmup_fraction = 1},
      LinearSchedule{.warmup_epochs = 5},
      LinearSchedule{.warmup_epochs = 0.3},
      StepSchedule{.every_epochs = 0.3, .warmup_epochs = 5}};
  for (const ScheduleOptions& schedule : schedules) {
    for (std::int64_t total = 1; total <= 12; ++total) {
      for (std::int64_t step = 0; step < total; ++step) {
        const double factor = schedule_factor(schedule, {total, 4}, step);
        EXPECT_GE(factor, 0) << total << " " << step;
        EXPECT_LE(factor, 1) << total << " " << step;
      }
    }
  }
}

}  // namespace
}  // namespace lockstep
