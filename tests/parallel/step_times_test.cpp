#include "lockstep/parallel/step_times.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lockstep {
namespace {

// Data, forward, backward and exposed of a rank.
StepTimes times(double data, double forward, double backward, double exposed = 0) {
  StepTimes result;
  result.data = data;
  result.forward = forward;
  result.backward = backward;
  result.exposed = exposed;
  return result;
}

struct Case {
  const char* name;
  std::vector<StepTimes> by_rank;
  int rank;
  double excess;
  Cause cause;
};

TEST(Straggler, RankAndCause) {
  const Case cases[] = {
      {"alone", {times(1, 2, 3)}, 0, 0, Cause::kNone},
      {"equal", {times(1, 2, 3), times(1, 2, 3), times(1, 2, 3)}, 0, 0, Cause::kNone},
      {"a little", {times(1, 2, 3), times(1, 2, 3.3)}, 1, 0.05, Cause::kNone},
      {"compute", {times(1, 2, 3), times(1, 2, 6), times(1, 2, 3)}, 1, 0.5, Cause::kCompute},
      {"data", {times(1, 2, 3), times(1, 2, 3), times(4, 2, 3)}, 2, 0.5, Cause::kData},
      {"of two", {times(1, 3, 5), times(1, 2, 3)}, 0, 0.5, Cause::kCompute},
      // All wait for the messages, rank 1 most of all.
      {"network", {times(1, 2, 3, 1), times(1, 2, 3, 2)}, 1, 0, Cause::kNetwork},
      // The others wait because rank 0 computes.
      {"not network", {times(1, 2, 6, 0), times(1, 2, 3, 3)}, 0, 0.5, Cause::kCompute},
      {"one is not held up", {times(1, 2, 3, 0.1), times(1, 2, 3, 2)}, 0, 0, Cause::kNone},
      {"a rank alone has no network", {times(1, 2, 3, 9)}, 0, 0, Cause::kNone},
      {"nothing done", {times(0, 0, 0), times(0, 0, 0)}, 0, 0, Cause::kNone},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.name);
    const Straggler found = find_straggler(each.by_rank);
    EXPECT_EQ(found.rank, each.rank);
    EXPECT_NEAR(found.excess, each.excess, 1e-12);
    EXPECT_STREQ(name_of(found.cause), name_of(each.cause));
  }
}

TEST(StepTimes, SumAndQuotient) {
  StepTimes sum{1, 2, 3, 4, 5, 6, 7, 8};
  sum += {10, 20, 30, 40, 50, 60, 70, 80};
  const StepTimes mean = sum / 2;
  EXPECT_EQ(mean.data, 5.5);
  EXPECT_EQ(mean.forward, 11);
  EXPECT_EQ(mean.backward, 16.5);
  EXPECT_EQ(mean.wait, 22);
  EXPECT_EQ(mean.sum, 27.5);
  EXPECT_EQ(mean.exposed, 33);
  EXPECT_EQ(mean.hidden, 38.5);
  EXPECT_EQ(mean.update, 44);
}

}  // namespace
}  // namespace lockstep
