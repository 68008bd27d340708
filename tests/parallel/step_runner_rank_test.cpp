// One step on every number of ranks, against the same step of a world of one and
// against one pass over the whole batch.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "lockstep/core/error.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/parallel/step_runner.h"
#include "parallel/networks.h"
#include "support/rank_test.h"

namespace lockstep {
namespace {

constexpr int kLanes = 5;
constexpr int kRows = 47;  // leaves lanes of 10 and 9
constexpr std::uint64_t kSeed = 11;

// A StepSum with memory of its own.
struct Kept {
  std::vector<float> gradients;
  std::vector<float> statistics;
  double square_norm = 0;
  std::int64_t samples = 0;
  double loss_sum = 0;
  std::int64_t correct = 0;
  bool operator==(const Kept&) const = default;
};

Kept keep(const StepSum& sum) {
  return {{sum.gradients.begin(), sum.gradients.end()},
          {sum.statistics.begin(), sum.statistics.end()},
          sum.square_norm,
          sum.samples,
          sum.loss_sum,
          sum.correct};
}

struct StepCase {
  int rows = kRows;
  int workers = 1;
  ParallelOptions options{.lanes = kLanes};
  float label_smoothing = 0;
};

Kept one_step(Communicator& comm, const Network& network, const StepCase& each) {
  Workers workers(each.workers, prepare_worker_thread);
  const Weights weights(network.initial_weights(kSeed), each.options.precision);
  StepRunner runner(comm, network, workers, each.options, {kSeed, 0, each.label_smoothing});
  const auto fill = [&](int lane, Batch& batch) {
    EXPECT_TRUE(runner.owned_lanes().contains(lane));
    batch = samples::batch_of(lane, each.rows, kLanes);
  };
  Kept first;
  Kept kept;
  std::atomic<int> updates{0};
  // The second step of the same epoch must repeat the first: nothing is left over.
  for (Kept* turn : {&first, &kept}) {
    *turn = keep(runner.run(weights, 3, fill, [&](const StepSum&, int) { ++updates; }));
  }
  EXPECT_EQ(updates, 2 * each.workers);
  EXPECT_EQ(first, kept);
  comm.barrier();
  return kept;
}

double largest(std::span<const float> values) {
  double size = 0;
  for (const float value : values) size = std::max(size, std::abs(static_cast<double>(value)));
  return size;
}

TEST(StepRunner, GradientsAreThoseOfOnePassOverTheWholeBatch) {
  const Network network = samples::plain_network();
  const Kept step = one_step(test_comm(), network, {.label_smoothing = 0.1F});

  prepare_worker_thread();
  LaneExecutor executor(network, Precision::kFp32);
  const Weights weights(network.initial_weights(kSeed), Precision::kFp32);
  std::vector<float> gradients(static_cast<std::size_t>(network.trainable_size()));
  const LaneResult whole =
      executor.train(weights, samples::batch_of(0, kRows, 1), {kSeed, 3, 0.1F}, gradients, {});
  EXPECT_EQ(step.samples, kRows);
  EXPECT_EQ(step.correct, std::lround(whole.correct));
  EXPECT_NEAR(step.loss_sum, whole.loss_sum, 1e-5 * whole.loss_sum);
  ASSERT_EQ(step.gradients.size(), gradients.size());
  EXPECT_GT(largest(gradients), 0.1);
  for (const Parameter& parameter : network.parameters()) {
    const auto begin = static_cast<std::size_t>(parameter.range.first);
    const auto size = static_cast<std::size_t>(parameter.range.size());
    const auto expected = std::span(gradients).subspan(begin, size);
    for (std::size_t i = 0; i < size; ++i) {
      ASSERT_NEAR(step.gradients[begin + i], expected[i], 1e-5 * largest(expected))
          << parameter.name << " " << i;
    }
  }
}

TEST(StepRunner, BitsAreThoseOfAWorldOfOne) {
  const Network network = samples::full_network();
  const auto self = connect_self();
  for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
    for (const int rows : {kRows, 3}) {  // with 3, two lanes have no sample
      StepCase each{.rows = rows, .options = {.lanes = kLanes, .precision = precision}};
      const Kept alone = one_step(*self, network, each);
      EXPECT_EQ(alone.samples, rows);
      for (int workers = 1; workers <= 3; ++workers) {
        each.workers = workers;
        EXPECT_EQ(one_step(test_comm(), network, each), alone)
            << rows << " rows, " << workers << " workers";
      }
    }
  }
}

TEST(StepRunner, NativeReductionDiffersByRoundingOnly) {
  const Network network = samples::full_network();
  const Kept ordered = one_step(test_comm(), network, {});
  const Kept native = one_step(test_comm(), network,
                               {.options = {.lanes = kLanes, .reduction = Reduction::kNative}});
  EXPECT_EQ(native.samples, ordered.samples);
  EXPECT_EQ(native.correct, ordered.correct);
  for (std::size_t i = 0; i < native.gradients.size(); ++i) {
    ASSERT_NEAR(native.gradients[i], ordered.gradients[i], 1e-5 * largest(ordered.gradients));
  }
}

TEST(StepRunner, StatisticsAreLaneStatisticsTimesSamples) {
  const Network network = samples::full_network();
  const Kept step = one_step(test_comm(), network, {});
  std::vector<double> expected(step.statistics.size(), 0.0);
  prepare_worker_thread();
  LaneExecutor executor(network, Precision::kFp32);
  const Weights weights(network.initial_weights(kSeed), Precision::kFp32);
  std::vector<float> gradients(static_cast<std::size_t>(network.trainable_size()));
  std::vector<float> statistics(expected.size());
  for (int lane = 0; lane < kLanes; ++lane) {
    executor.train(weights, samples::batch_of(lane, kRows, kLanes), {kSeed, 3, 0}, gradients,
                   statistics);
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += statistics[i];
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(step.statistics[i], expected[i], 1e-6 * std::abs(expected[i])) << i;
  }
}

TEST(StepRunner, FlagsOfOneRankReachAllAtTheSameStep) {
  Communicator& comm = test_comm();
  const Network network = samples::plain_network();
  Workers workers(1, prepare_worker_thread);
  const Weights weights(network.initial_weights(kSeed), Precision::kFp32);
  StepRunner runner(comm, network, workers, {.lanes = kLanes}, {kSeed});
  const auto flags = [&] {
    const StepSum sum = runner.run(
        weights, 0, [](int lane, Batch& batch) { batch = samples::batch_of(lane, 3, kLanes); },
        [](const StepSum&, int) {});
    const std::pair<bool, bool> raised{sum.is_raised(Flag::kStop), sum.is_raised(Flag::kSave)};
    comm.barrier();
    return raised;
  };
  EXPECT_EQ(flags(), std::pair(false, false));
  if (comm.rank() == comm.world_size() - 1) runner.raise(Flag::kSave);
  EXPECT_EQ(flags(), std::pair(false, true));
  if (comm.rank() == 0) runner.raise(Flag::kStop);
  EXPECT_EQ(flags(), std::pair(true, true));
  runner.lower(Flag::kSave);
  EXPECT_EQ(flags(), std::pair(true, false));
}

TEST(StepRunner, FailedLaneEndsTheStepOnAllRanks) {
  Communicator& comm = test_comm();
  const Network network = samples::plain_network();
  const Weights weights(network.initial_weights(kSeed), Precision::kFp32);
  for (const Reduction reduction : {Reduction::kOrdered, Reduction::kNative}) {
    Workers workers(2, prepare_worker_thread);
    StepRunner runner(comm, network, workers, {.lanes = kLanes, .reduction = reduction}, {kSeed});
    constexpr int kBadLane = kLanes - 1;
    const auto fill = [](int lane, Batch& batch) {
      if (lane == kBadLane) throw std::runtime_error("no memory");
      batch = samples::batch_of(lane, kRows, kLanes);
    };
    if (runner.owned_lanes().contains(kBadLane)) {
      EXPECT_THROW(runner.run(weights, 0, fill, [](const StepSum&, int) {}), std::runtime_error);
    } else {
      const StepSum sum = runner.run(weights, 0, fill, [](const StepSum&, int) {});
      EXPECT_FALSE(std::isfinite(sum.square_norm));
    }
    comm.barrier();
  }
}

TEST(CheckReplicas, EqualReplicasPass) {
  const Network network = samples::full_network();
  const Weights weights(network.initial_weights(kSeed), Precision::kFp32);
  EXPECT_NO_THROW(check_replicas(test_comm(), network, weights));
}

// Of two ranks nobody knows who is right: rank 0 counts as such.
TEST(CheckReplicas, FlippedBitNamesRankAndTensor) {
  Communicator& comm = test_comm();
  if (comm.world_size() == 1) GTEST_SKIP() << "one rank has nobody to differ from";
  const Network network = samples::full_network();
  for (int wrong = 0; wrong < comm.world_size(); ++wrong) {
    for (const Parameter& parameter : network.parameters()) {
      Weights weights(network.initial_weights(kSeed), Precision::kFp32);
      if (comm.rank() == wrong) {
        float& value = weights.values()[static_cast<std::size_t>(parameter.range.last - 1)];
        value = std::nextafter(value, 2.0F);  // its last bit
      }
      const int blamed = comm.world_size() == 2 ? 1 : wrong;
      try {
        check_replicas(comm, network, weights);
        ADD_FAILURE() << "nothing was thrown";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::kPeer);
        EXPECT_EQ(error.reach(), Reach::kAgreed);
        EXPECT_NE(std::string(error.what())
                      .find(fmt::format("differ: rank {} in \"{}\" (", blamed, parameter.name)),
                  std::string::npos)
            << error.what();
      }
    }
  }
}

TEST(CheckReplicas, EachWrongRankIsNamedWithItsFirstTensor) {
  Communicator& comm = test_comm();
  if (comm.world_size() < 4) GTEST_SKIP() << "two wrong ranks need a majority of two others";
  const Network network = samples::full_network();
  Weights weights(network.initial_weights(kSeed), Precision::kFp32);
  const auto spoil = [&](std::size_t parameter) {
    weights.values()[static_cast<std::size_t>(network.parameters()[parameter].range.first)] += 1;
  };
  if (comm.rank() == 1) spoil(2);
  if (comm.rank() == 3) {
    spoil(5);
    spoil(4);
  }
  try {
    check_replicas(comm, network, weights);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what())
                  .find(fmt::format("rank 1 in \"{}\", rank 3 in \"{}\" (",
                                    network.parameters()[2].name, network.parameters()[4].name)),
              std::string::npos)
        << error.what();
  }
}

// With weights of zero both classes have probability 1/2, so a pixel of 3e38 gives a
// lane of one sample the gradients -1.5e38 and 1.5e38: finite, but not the sum of five.
TEST(StepRunner, NamesLaneAndParameterOfAGradientThatIsNotFinite) {
  const Network network({{FlattenOptions{}, DenseOptions{.units = 2}}}, {1, 1, 1}, 2);
  const Weights weights(std::vector<float>(static_cast<std::size_t>(network.total_size()), 0.0F),
                        Precision::kFp32);
  Workers workers(2, prepare_worker_thread);
  for (const Reduction reduction : {Reduction::kOrdered, Reduction::kNative}) {
    StepRunner runner(test_comm(), network, workers, {.lanes = kLanes, .reduction = reduction},
                      {kSeed});
    const auto find = [&](int faulty_lane) {
      const auto fill = [&](int lane, Batch& batch) {
        batch = {.size = 1, .images = {3e38F}, .labels = {0}, .rows = {0}};
        if (lane == faulty_lane) batch.images[0] = std::numeric_limits<float>::infinity();
      };
      const StepSum sum = runner.run(weights, 0, fill, [](const StepSum&, int) {});
      EXPECT_FALSE(std::isfinite(sum.square_norm));
      return runner.find_non_finite();
    };
    const NonFinite of_sum = find(-1);
    EXPECT_EQ(of_sum.lane, kSumOfLanes);
    EXPECT_EQ(network.parameters()[static_cast<std::size_t>(of_sum.parameter)].name,
              "1.dense.weight");
    const bool mine = runner.owned_lanes().contains(3);
    EXPECT_EQ(find(3).lane, mine ? 3 : kSumOfLanes);
  }
}

}  // namespace
}  // namespace lockstep
