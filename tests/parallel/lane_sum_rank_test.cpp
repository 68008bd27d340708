// The sum over lanes on every number of ranks and workers, against the documented
// tree evaluated one element at a time.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "lockstep/core/error.h"
#include "lockstep/core/share.h"
#include "lockstep/core/workers.h"
#include "lockstep/parallel/lane_sum.h"
#include "parallel/pretended_nodes.h"
#include "support/rank_test.h"

namespace lockstep {
namespace {

constexpr std::int64_t kSize = 2 * kNormBlock + 997;
constexpr std::int64_t kNormed = kNormBlock + 100;

// Values of many sizes, so that sums in another order have other bits.
float value_of(int lane, std::int64_t i, int turn) {
  const double angle = 1.1 * lane + 0.37 * static_cast<double>(i) + 5.0 * turn;
  return static_cast<float>(std::sin(angle) *
                            std::pow(10.0, static_cast<double>((i + lane) % 7) - 3));
}

// To 8 bits, the nearest, the even one of two: as bf16 keeps it.
float rounded(float value) {
  int exponent = 0;
  const double part = std::frexp(value, &exponent);
  return static_cast<float>(std::ldexp(std::nearbyint(part * 256), exponent - 8));
}

// The value of the node at `level`, `index`, as the header defines it.
float node_value(int lanes, int level, int index, std::int64_t i, int turn, bool rounds) {
  const auto kept = [&](float value) { return rounds ? rounded(value) : value; };
  if (level == 0) return kept(value_of(index, i, turn));
  const float left = node_value(lanes, level - 1, 2 * index, i, turn, rounds);
  if (((2 * index + 1) << (level - 1)) >= lanes) return left;
  return kept(left + node_value(lanes, level - 1, 2 * index + 1, i, turn, rounds));
}

// The first `rounded_size` elements are kept as bf16.
std::vector<float> tree_sum(int lanes, std::int64_t size, int turn, std::int64_t rounded_size) {
  int level = 0;
  while ((1 << level) < lanes) ++level;
  std::vector<float> sums;
  for (std::int64_t i = 0; i < size; ++i) {
    sums.push_back(node_value(lanes, level, 0, i, turn, i < rounded_size));
  }
  return sums;
}

using Buckets = std::vector<Range>;

Buckets whole(std::int64_t size) { return {{0, size}}; }

// The last gradients first, in three of unequal size; then the rest.
Buckets cut() {
  return {{kNormed / 2, kNormed}, {kNormed / 7, kNormed / 2}, {0, kNormed / 7}, {kNormed, kSize}};
}

void write_lane(std::span<float> buffer, int lane, int turn, Range range) {
  for (std::int64_t i = range.first; i < range.last; ++i) {
    buffer[static_cast<std::size_t>(i)] = value_of(lane, i, turn);
  }
}

void fill_lane(LaneSum& sum, int lane, int turn, const Buckets& buckets, int worker = 0) {
  for (int bucket = 0; bucket < static_cast<int>(buckets.size()); ++bucket) {
    write_lane(sum.lane(lane), lane, turn, buckets[static_cast<std::size_t>(bucket)]);
    sum.is_written(bucket);
    sum.progress(worker);
  }
}

void fill_lanes(LaneSum& sum, int lanes, int turn, const Buckets& buckets) {
  const Range owned = share_of(lanes, test_comm().world_size(), test_comm().rank());
  for (std::int64_t lane = owned.first; lane < owned.last; ++lane) {
    fill_lane(sum, static_cast<int>(lane), turn, buckets);
  }
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

double square_norm_of(std::span<const float> values, std::int64_t normed) {
  double sum = 0;
  for (std::int64_t i = 0; i < normed; ++i) {
    const double value = values[static_cast<std::size_t>(i)];
    sum += value * value;
  }
  return sum;
}

void expect_tree_sum(Communicator& comm, int lanes, const Buckets& buckets, int worker_count,
                     Route route, Wire wire = Wire::kFp32) {
  std::int64_t size = 0;
  for (const Range& each : buckets) size = std::max(size, each.last);
  SCOPED_TRACE(fmt::format("{} lanes, {} floats in {} buckets, {} workers, {}, {}", lanes, size,
                           buckets.size(), worker_count,
                           route == Route::kAuto ? "auto" : "messages",
                           wire == Wire::kBf16 ? "bf16" : "fp32"));
  Workers workers(worker_count, [] {});
  const std::int64_t normed = std::min(kNormed, size);
  const auto sum = make_lane_sum(comm,
                                 {.lanes = lanes,
                                  .size = size,
                                  .normed_size = normed,
                                  .workers = worker_count,
                                  .buckets = buckets,
                                  .wire = wire},
                                 Reduction::kOrdered, route);
  for (int turn = 0; turn < 2; ++turn) {
    fill_lanes(*sum, lanes, turn, buckets);
    workers.run([&](int worker) { sum->run(worker); });
    const std::vector<float> expected =
        tree_sum(lanes, size, turn, wire == Wire::kBf16 ? normed : 0);
    EXPECT_TRUE(same_bits(sum->values(), expected)) << "turn " << turn;
    const double norm = square_norm_of(expected, normed);
    EXPECT_NEAR(sum->square_norm(), norm, 1e-12 * norm);
    const std::vector<double> norms = gather_values(comm, sum->square_norm());
    EXPECT_EQ(norms, std::vector<double>(norms.size(), norms[0]));
  }
  comm.barrier();
}

TEST(LaneSum, OrderedHasTheBitsOfTheTree) {
  for (int lanes = 1; lanes <= 9; ++lanes) {
    for (int workers = 1; workers <= 3; ++workers) {
      for (const Route route : {Route::kAuto, Route::kMessages}) {
        expect_tree_sum(test_comm(), lanes, whole(kSize), workers, route);
      }
      expect_tree_sum(test_comm(), lanes, cut(), workers, Route::kMessages);
      expect_tree_sum(test_comm(), lanes, cut(), workers, Route::kAuto, Wire::kBf16);
    }
  }
}

// Nodes of two ranks, the last one perhaps of one; ranks dealt to two nodes in turn; a node of one
// rank and one of the others.
TEST(LaneSum, OrderedHasTheBitsOfTheTreeOnNodes) {
  const std::function<int(int)> nodes[] = {[](int rank) { return rank / 2; },
                                           [](int rank) { return rank % 2; },
                                           [](int rank) { return std::min(rank, 1); }};
  for (const auto& node_of : nodes) {
    PretendedNodes comm(test_comm(), node_of);
    for (int lanes = comm.world_size(); lanes <= 9; ++lanes) {
      for (int workers = 1; workers <= 3; ++workers) {
        expect_tree_sum(comm, lanes, whole(kSize), workers, Route::kAuto);
        expect_tree_sum(comm, lanes, cut(), workers, Route::kAuto);
        expect_tree_sum(comm, lanes, cut(), workers, Route::kAuto, Wire::kBf16);
      }
    }
  }
}

// On two nodes of two ranks a node sends half of the elements twice, in two messages a rank.
TEST(LaneSum, SendsEachElementOnceANode) {
  PretendedNodes comm(test_comm(), [](int rank) { return rank / 2; });
  const std::int64_t size = 64 * 64;
  const auto sum = make_lane_sum(comm, {.lanes = 8, .size = size, .normed_size = 0, .workers = 1},
                                 Reduction::kOrdered);
  if (comm.world_size() == 4) {
    EXPECT_EQ(comm.messages(), 2);
    EXPECT_EQ(comm.bytes(), static_cast<std::size_t>(size / 2) * sizeof(float));
  }
  comm.barrier();
}

// Between two nodes of two ranks, each of which has a half of the elements: the partial sum of
// the node's lanes, and half of the other node's.
TEST(LaneSum, TellsItsMemory) {
  PretendedNodes comm(test_comm(), [](int rank) { return rank / 2; });
  const std::int64_t size = 64 * 64;
  const LaneSumShape shape{.lanes = 8, .size = size, .normed_size = 0, .workers = 1};
  const std::int64_t lanes = share_of(8, comm.world_size(), comm.rank()).size();
  std::int64_t floats = size * (lanes + (comm.rank() % 2 == 0 ? 1 : 0));
  if (comm.world_size() == 4) floats += size / 2 + size / 4;
  const std::int64_t bytes = lane_sum_bytes(comm, shape, Reduction::kOrdered);
  if (comm.world_size() != 3) {
    EXPECT_EQ(bytes, 4 * floats);
  }
  EXPECT_EQ(lane_sum_bytes(comm, shape, Reduction::kNative), 4 * size * (lanes + 1));
}

// Where an exchange fails, every worker learns of it, and none waits for a peer.
TEST(LaneSum, AFailedExchangeIsThrownOnEveryWorker) {
  for (int workers_count = 1; workers_count <= 3; ++workers_count) {
    PretendedNodes comm(test_comm(), [](int rank) { return rank; });
    comm.fail_exchanges();
    Workers workers(workers_count, [] {});
    const auto sum = make_lane_sum(
        comm, {.lanes = 4, .size = kSize, .normed_size = kNormed, .workers = workers_count},
        Reduction::kOrdered, Route::kMessages);
    std::atomic<int> thrown{0};
    workers.run([&](int worker) {
      const Range owned = share_of(4, comm.world_size(), comm.rank());
      if (worker == 0) {
        for (std::int64_t lane = owned.first; lane < owned.last; ++lane) {
          fill_lane(*sum, static_cast<int>(lane), 0, {{0, kNormed}, {kNormed, kSize}});
        }
      }
      try {
        sum->run(worker);
      } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "an exchange failed");
        ++thrown;
      }
    });
    EXPECT_EQ(thrown, workers_count);
    test_comm().barrier();
  }
}

// Fewer floats than ranks and workers: most of them have nothing to add.
TEST(LaneSum, SmallBuffersAndWorkersThatDifferByRank) {
  const int workers = 1 + test_comm().rank() % 3;
  for (const Route route : {Route::kAuto, Route::kMessages}) {
    for (const std::int64_t size :
         {std::int64_t{1}, std::int64_t{17}, kNormBlock, kNormBlock + 1}) {
      expect_tree_sum(test_comm(), 5, whole(size), workers, route);
    }
  }
}

TEST(LaneSum, BuffersAreZeroAndAlignedAtFirst) {
  for (const Route route : {Route::kAuto, Route::kMessages}) {
    const auto sum =
        make_lane_sum(test_comm(), {.lanes = 7, .size = 997, .normed_size = 0, .workers = 1},
                      Reduction::kOrdered, route);
    const Range owned = share_of(7, test_comm().world_size(), test_comm().rank());
    for (std::int64_t lane = owned.first; lane < owned.last; ++lane) {
      const auto buffer = sum->lane(static_cast<int>(lane));
      ASSERT_EQ(buffer.size(), 997U);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, 0U);
      for (const float value : buffer) ASSERT_EQ(value, 0.0F);
    }
    test_comm().barrier();
  }
}

TEST(LaneSum, NativeIsTheSumWithinRounding) {
  for (int lanes = 1; lanes <= 9; ++lanes) {
    SCOPED_TRACE(lanes);
    Workers workers(2, [] {});
    const auto sum = make_lane_sum(
        test_comm(), {.lanes = lanes, .size = kSize, .normed_size = kNormed, .workers = 2},
        Reduction::kNative);
    for (int turn = 0; turn < 2; ++turn) {
      fill_lanes(*sum, lanes, turn, whole(kSize));
      workers.run([&](int worker) { sum->run(worker); });
      for (std::int64_t i = 0; i < kSize; ++i) {
        double exact = 0;
        double size = 0;
        for (int lane = 0; lane < lanes; ++lane) {
          exact += value_of(lane, i, turn);
          size += std::abs(static_cast<double>(value_of(lane, i, turn)));
        }
        ASSERT_NEAR(sum->values()[static_cast<std::size_t>(i)], exact, 1e-6 * size) << i;
      }
      const double norm = square_norm_of(sum->values(), kNormed);
      EXPECT_NEAR(sum->square_norm(), norm, 1e-12 * norm);
    }
    test_comm().barrier();
  }
}

// One lane's NaN or infinity shows on every rank, but not where it is no gradient.
TEST(LaneSum, NormShowsWhatIsNotFinite) {
  constexpr int kLanes = 5;
  for (const Route route : {Route::kAuto, Route::kMessages}) {
    const auto sum = make_lane_sum(test_comm(),
                                   {.lanes = kLanes,
                                    .size = kSize,
                                    .normed_size = kNormed,
                                    .workers = 1,
                                    .buckets = whole(kSize)},
                                   Reduction::kOrdered, route);
    const Range owned = share_of(kLanes, test_comm().world_size(), test_comm().rank());
    const auto finite_with = [&](std::int64_t place, float value) {
      for (std::int64_t lane = owned.first; lane < owned.last; ++lane) {
        const auto buffer = sum->lane(static_cast<int>(lane));
        write_lane(buffer, static_cast<int>(lane), 0, {0, kSize});
        if (lane == 3) buffer[static_cast<std::size_t>(place)] = value;
        sum->is_written(0);
      }
      sum->run(0);
      const bool finite = std::isfinite(sum->square_norm());
      test_comm().barrier();
      return finite;
    };
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    EXPECT_FALSE(finite_with(kNormed - 1, std::numeric_limits<float>::quiet_NaN()));
    EXPECT_FALSE(finite_with(0, -kInfinity));
    EXPECT_TRUE(finite_with(kNormed, kInfinity));
    EXPECT_TRUE(finite_with(0, 1e30F));
  }
}

}  // namespace
}  // namespace lockstep
