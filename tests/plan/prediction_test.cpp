#include "lockstep/plan/prediction.h"

#include <gtest/gtest.h>

#include "lockstep/core/error.h"

namespace lockstep {
namespace {

// Passes of 1 ms and 2 ms a sample beyond 10; 1000 floats a lane.
MeasuredTimes measured() {
  return {.passes = {{2, 0.003}, {10, 0.011}, {20, 0.031}},
          .buckets = {{1000, 1}},
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

TEST(Prediction, TwoNodesExchangeHalves) {
  // 4 ranks of 2 a node, a lane each: each rank sends a quarter of 4000 bytes in each of 2 rounds.
  const Link link{.latency_seconds = 0.01,
                  .bytes_per_second = 1e6,
                  .message_seconds = 0.0005,
                  .rendezvous_bytes = 1000};
  const PlannedJob job{.global_batch = 40, .lanes = 4, .ranks = 4};
  const auto step = predict_step(measured(), job, nodes(2, 2, link));
  const double exposed = 2 * (0.01 + 0.002);
  EXPECT_NEAR(step.exposed, exposed, 1e-12);
  // Own lanes; 2 messages out and 2 in; half of a rank's half added; half an addition for the norm.
  const double work = 0.0004 + 4 * 0.0005 + 0.0004 / 4 + 0.0004 / 4;
  EXPECT_NEAR(step.sum, work + exposed, 1e-12);
  // With a rendezvous each round takes two latencies more.
  Link eager = link;
  eager.rendezvous_bytes = 999;
  EXPECT_NEAR(predict_step(measured(), job, nodes(2, 2, eager)).sum, work + exposed + 0.04, 1e-12);
}

TEST(Prediction, BucketsHideBehindThePass) {
  const Link link{.latency_seconds = 0.001, .bytes_per_second = 1e6};
  const PlannedJob job{.global_batch = 20, .lanes = 2, .ranks = 2};
  MeasuredTimes times = measured();  // a pass of 11 ms; a bucket of 500 takes 2 x 1 ms of the link
  times.buckets = {{500, 0.5}, {500, 1}};
  EXPECT_NEAR(predict_step(times, job, nodes(1, 1, link)).exposed, 0.004, 1e-12);
  times.buckets = {{500, 0.3}, {500, 0.5}};
  EXPECT_EQ(predict_step(times, job, nodes(1, 1, link)).exposed, 0);
  // The second waits for the link, which the first has until 2 ms after the pass.
  times.buckets = {{3250, 0.0}, {500, 0.5}};
  EXPECT_NEAR(predict_step(times, job, nodes(1, 1, link)).exposed, 0.006, 1e-12);
}

// Eight nodes: three rounds each way, of 1/2, 1/4 and 1/8 of the elements.
TEST(Prediction, RoundsGrowWithTheLogarithm) {
  const PlannedJob job{.global_batch = 80, .lanes = 8, .ranks = 8};
  const Link link{.latency_seconds = 0.01, .bytes_per_second = 1e6};
  const double exposed = 6 * 0.01 + 2 * 0.004 * 7 / 8;
  EXPECT_NEAR(predict_step(measured(), job, nodes(1, 1, link)).exposed, exposed, 1e-12);
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
