#include "lockstep/plan/prediction.h"

#include <gtest/gtest.h>

#include "lockstep/core/error.h"
#include "lockstep/parallel/lane_sum.h"

namespace lockstep {
namespace {

// Passes of 1 ms and 2 ms a sample beyond 10; 1000 floats a lane.
MeasuredTimes measured() {
  return {.passes = {{2, 0.003}, {10, 0.011}, {20, 0.031}},
          .update_seconds = 0.006,
          .add_seconds = 0.0004,
          .values = 1000};
}

PlannedNodes nodes(int ranks_per_node, int cores, const Link& link = {}) {
  return {.ranks_per_node = ranks_per_node, .cores_per_node = cores, .link = link};
}

TEST(Prediction, PassesLieOnStraightLines) {
  EXPECT_DOUBLE_EQ(pass_seconds(measured(), 2), 0.003);
  EXPECT_DOUBLE_EQ(pass_seconds(measured(), 1), 0.002);
  EXPECT_DOUBLE_EQ(pass_seconds(measured(), 7), 0.008);
  EXPECT_DOUBLE_EQ(pass_seconds(measured(), 10), 0.011);
  EXPECT_DOUBLE_EQ(pass_seconds(measured(), 15), 0.021);
  EXPECT_DOUBLE_EQ(pass_seconds(measured(), 100), 0.191);
}

TEST(Prediction, OneRankOfOneThread) {
  const auto step = predict_step(measured(), {.global_batch = 40, .lanes = 4}, nodes(1, 2));
  EXPECT_DOUBLE_EQ(step.compute, 4 * 0.011);
  EXPECT_DOUBLE_EQ(step.update, 0.006);
  EXPECT_DOUBLE_EQ(step.sum, 4 * 0.0004);
  EXPECT_DOUBLE_EQ(step.step, 0.044 + 0.006 + 0.0016);
  EXPECT_DOUBLE_EQ(step.images_per_second, 40 / step.step);
}

TEST(Prediction, OneNodeSharesLanesAndSum) {
  // 5 lanes on 3 ranks: 2 on the fullest; 2 threads do them at once.
  const PlannedJob job{.global_batch = 48, .lanes = 5, .ranks = 3, .threads = 2};
  const auto step = predict_step(measured(), job, nodes(4, 6));
  EXPECT_DOUBLE_EQ(step.compute, 0.011);  // ceil(48 / 5) = 10 samples
  EXPECT_DOUBLE_EQ(step.update, 0.003);
  EXPECT_DOUBLE_EQ(step.sum, 5 * 0.0004 / 6);
  // On 4 cores the 6 workers take half as long again.
  EXPECT_DOUBLE_EQ(predict_step(measured(), job, nodes(4, 4)).step, 1.5 * step.step);
}

TEST(Prediction, TwoNodesExchangeSlices) {
  // 4 ranks of 2 a node, a lane each: slices of 1000 bytes.
  const Link link{.latency_seconds = 0.01,
                  .bytes_per_second = 1e6,
                  .message_seconds = 0.0005,
                  .rendezvous_bytes = 1000};
  const PlannedJob job{.global_batch = 40, .lanes = 4, .ranks = 4};
  const double messages = 6 * 0.0005;
  const double transfer = 0.004;  // 2 ranks send 2 slices each to the other node
  const double expected = 0.0004 + 2 * (0.01 + messages + transfer) + 1.5 * 0.0004;
  EXPECT_NEAR(predict_step(measured(), job, nodes(2, 2, link)).sum, expected, 1e-12);
  // With a rendezvous each phase takes two latencies more.
  Link eager = link;
  eager.rendezvous_bytes = 999;
  EXPECT_NEAR(predict_step(measured(), job, nodes(2, 2, eager)).sum, expected + 0.04, 1e-12);
  // 3 ranks with 2, 2 and 1 of 5 lanes: the second holds no complete pair.
  EXPECT_EQ(most_partial_sums(4, 4), 1);
  EXPECT_EQ(most_partial_sums(5, 3), 2);
  EXPECT_EQ(most_partial_sums(8, 2), 1);
}

TEST(Prediction, FasterLinksHelpUntilMemoryIsTheLimit) {
  const PlannedJob job{.global_batch = 40, .lanes = 4, .ranks = 4};
  const Link endless{.latency_seconds = 0, .bytes_per_second = 1e30};
  // The node's own copies: 2 of a quarter of a buffer, in each phase.
  const double expected = 0.0004 + 2 * (2 * 0.0004 / 4) + 1.5 * 0.0004;
  EXPECT_NEAR(predict_step(measured(), job, nodes(2, 2, endless)).sum, expected, 1e-12);
}

TEST(Prediction, LargerBatchesHideTheSum) {
  const Link slow{.latency_seconds = 0.05, .bytes_per_second = 1e9};
  const PlannedJob alone{.global_batch = 40, .lanes = 4};
  const PlannedJob job{.global_batch = 40, .lanes = 4, .ranks = 4};
  const std::int64_t batch = efficient_batch(measured(), alone, job, nodes(2, 2, slow), 0.5);
  ASSERT_GT(batch, 40);
  const double wanted = 0.5 * 4 * predict_step(measured(), alone, nodes(2, 2)).images_per_second;
  PlannedJob tried = job;
  tried.global_batch = batch;
  EXPECT_GE(predict_step(measured(), tried, nodes(2, 2, slow)).images_per_second, wanted);
  tried.global_batch = batch / 2;
  EXPECT_LT(predict_step(measured(), tried, nodes(2, 2, slow)).images_per_second, wanted);
  // Passes of this measurement take 2 ms a sample in the end: more than all is out of reach.
  EXPECT_EQ(efficient_batch(measured(), alone, job, nodes(2, 2, slow), 1.5), 0);
}

TEST(Link, NamesAndNumbers) {
  EXPECT_DOUBLE_EQ(link_of("100GbE").bytes_per_second, 100e9 / 8 * 0.92);
  const Link link = link_of("5000:2.5");
  EXPECT_DOUBLE_EQ(link.latency_seconds, 0.005);
  EXPECT_DOUBLE_EQ(link.bytes_per_second, 2.5e9 / 8);
  EXPECT_EQ(link_of("0:1").latency_seconds, 0);
  for (const char* wrong : {"", "25", "25Gbe", ":", "1:", ":1", "1:0", "-1:1", "1:-1", "1:1x",
                            "x:1", "nan:1", "1:inf"}) {
    try {
      link_of(wrong);
      ADD_FAILURE() << wrong;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      EXPECT_NE(std::string(error.what()).find("LATENCY:SPEED"), std::string::npos) << wrong;
    }
  }
}

}  // namespace
}  // namespace lockstep
