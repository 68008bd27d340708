#include "report/axis.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

using Ticks = std::vector<double>;

void expect_near(const Ticks& ticks, const Ticks& expected) {
  ASSERT_EQ(ticks.size(), expected.size());
  for (std::size_t i = 0; i < ticks.size(); ++i) EXPECT_NEAR(ticks[i], expected[i], 1e-12);
}

TEST(Axis, HasRoundTicksAroundTheValues) {
  expect_near(Axis(AxisKind::kLinear, 0.03, 0.97).ticks(), {0, 0.2, 0.4, 0.6, 0.8, 1});
  expect_near(Axis(AxisKind::kLinear, 1, 27).ticks(), {0, 5, 10, 15, 20, 25, 30});
  expect_near(Axis(AxisKind::kLinear, -3, 3).ticks(), {-3, -2, -1, 0, 1, 2, 3});
}

TEST(Axis, PlacesValuesInProportion) {
  const Axis axis(AxisKind::kLinear, 0, 10);
  EXPECT_EQ(axis.place(0), 0);
  EXPECT_EQ(axis.place(10), 1);
  EXPECT_EQ(axis.place(2.5), 0.25);
}

TEST(Axis, HasRoomAroundASingleValue) {
  for (const double value : {0.0, 0.001, -5.0, 7e9}) {
    const Axis axis(AxisKind::kLinear, value, value);
    EXPECT_GT(axis.place(value), 0) << value;
    EXPECT_LT(axis.place(value), 1) << value;
  }
}

TEST(Axis, IsLogarithmicWithTicksAtOneTwoFive) {
  const Axis axis(AxisKind::kLog, 0.012, 0.6);
  expect_near(axis.ticks(), {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1});
  EXPECT_NEAR(axis.place(0.1), 0.5, 1e-12);
  EXPECT_NEAR(axis.place(0.01), 0, 1e-12);
}

TEST(Axis, NamesPowersAloneInALongRange) {
  const Axis axis(AxisKind::kLog, 0.0094, 1.7);
  expect_near(axis.ticks(), {0.01, 0.1, 1});
  EXPECT_NEAR(axis.low(), 0.005, 1e-12);
  EXPECT_NEAR(axis.high(), 2, 1e-12);
  const Axis longest(AxisKind::kLog, 1e-30, 1e30);
  EXPECT_GE(longest.ticks().size(), 3U);
  EXPECT_LE(longest.ticks().size(), 8U);
}

}  // namespace
}  // namespace lockstep
