#include "lockstep/callbacks/time_left.h"

#include "callbacks/events.h"

namespace lockstep {
namespace {

TEST(TimeLeft, IsUnknownAtTheFirstStep) {
  TimeLeft time_left;
  time_left.begin(run_event());
  EXPECT_EQ(time_left.steps_total(), 24);
  EXPECT_FALSE(time_left.update(step_event(0, 1, 100)).has_value());
}

TEST(TimeLeft, TakesTheMeanOfTheStepsAfterTheFirst) {
  TimeLeft time_left;
  time_left.begin(run_event());
  time_left.update(step_event(0, 1, 100));
  EXPECT_EQ(time_left.update(step_event(0, 2, 102)), 44);   // 22 steps of 2 s
  EXPECT_EQ(time_left.update(step_event(1, 1, 104)), 7.5);  // 15 steps of 4 s in 8
  EXPECT_EQ(time_left.update(step_event(2, 8, 110)), 0);
}

TEST(TimeLeft, CountsOnlyStepsOfThisProcess) {
  TimeLeft time_left;
  RunEvent resumed = run_event();
  resumed.first_epoch = 2;
  resumed.first_step = 16;
  time_left.begin(resumed);
  time_left.update(step_event(2, 1, 10));
  EXPECT_EQ(time_left.update(step_event(2, 3, 13)), 7.5);  // 5 steps of 1.5 s
}

}  // namespace
}  // namespace lockstep
