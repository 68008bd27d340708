#include "lockstep/parallel/exchange_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "lockstep/parallel/lane_tree.h"

namespace lockstep {
namespace {

constexpr std::int64_t kSize = 1009;

// Five lanes on three ranks: lane 0, lanes 1 and 2, lanes 3 and 4. The tree has
// (0 + 1) + (2 + 3), then lane 4, so no two lanes of a rank are added before they travel.
TEST(ExchangePlan, OfFiveLanesOnThreeRanks) {
  const ExchangePlan plan(5, kSize, 3, 1);
  EXPECT_EQ(plan.lanes, (Range{1, 3}));
  EXPECT_EQ(plan.partials, (std::vector<std::vector<int>>{{0}, {1}}));
  // 16 grains of 64 floats, the last one cut.
  EXPECT_EQ(plan.slices, (std::vector<Range>{{0, 320}, {320, 640}, {640, 1009}}));
  EXPECT_EQ(plan.senders, (std::vector<int>{0, 1, 1, 2, 2}));
  EXPECT_EQ(plan.program, (std::vector<int>{0, 1, kAdd, 2, 3, kAdd, kAdd, 4, kAdd}));
  EXPECT_EQ(plan.received_size(), 3 * 320);
}

TEST(ExchangePlan, AddsWholeSubtreesBeforeTheyTravel) {
  const ExchangePlan plan(8, kSize, 2, 1);
  EXPECT_EQ(plan.partials, (std::vector<std::vector<int>>{{0, 1, kAdd, 2, 3, kAdd, kAdd}}));
  EXPECT_EQ(plan.senders, (std::vector<int>{0, 1}));
  EXPECT_EQ(plan.program, (std::vector<int>{0, 1, kAdd}));
}

TEST(ExchangePlan, OfOneRankMovesNothing) {
  const ExchangePlan plan(3, kSize, 1, 0);
  EXPECT_EQ(plan.partials, (std::vector<std::vector<int>>{{0, 1, kAdd, 2, kAdd}}));
  EXPECT_EQ(plan.slice(), (Range{0, kSize}));
  std::vector<float> sums(kSize);
  float* const values[] = {sums.data()};
  const PlannedExchange exchange = plan.exchange(values, nullptr, sums.data());
  EXPECT_TRUE(exchange.partials_out.empty() && exchange.partials_in.empty());
  EXPECT_TRUE(exchange.slices_out.empty() && exchange.slices_in.empty());
}

// --- All ranks' plans carried out together ----------------------------------

float value_of(std::int64_t lane, std::int64_t i) {
  const auto mixed = static_cast<std::uint32_t>(lane * 7919 + i * 104729 + 13);
  return (static_cast<float>(mixed % 2003) - 1001) / 997 * (mixed % 5 == 0 ? 1e4F : 1.0F);
}

struct Member {
  explicit Member(const ExchangePlan& of) : plan(of) {
    for (std::int64_t lane = plan.lanes.first; lane < plan.lanes.last; ++lane) {
      auto& values = lanes.emplace_back();
      for (std::int64_t i = 0; i < kSize; ++i) values.push_back(value_of(lane, i));
      inputs.push_back(values.data());
    }
    partials.resize(plan.partials.size(), std::vector<float>(kSize));
    for (std::size_t i = 0; i < partials.size(); ++i) {
      add_along_tree(plan.partials[i], inputs, {0, kSize}, partials[i].data());
      values.push_back(partials[i].data());
    }
    exchange = plan.exchange(values, received.data(), sums.data());
  }

  ExchangePlan plan;
  std::vector<std::vector<float>> lanes = {};
  std::vector<const float*> inputs = {};
  std::vector<std::vector<float>> partials = {};
  std::vector<float*> values = {};
  std::vector<float> received = std::vector<float>(static_cast<std::size_t>(plan.received_size()));
  std::vector<float> sums = std::vector<float>(kSize);
  PlannedExchange exchange{};
};

// Between two ranks parts are matched in the order in which they are listed.
using Members = std::vector<std::unique_ptr<Member>>;
void deliver(const Members& all, std::vector<Outgoing> PlannedExchange::*out,
             std::vector<Incoming> PlannedExchange::*in) {
  for (int from = 0; from < static_cast<int>(all.size()); ++from) {
    for (int to = 0; to < static_cast<int>(all.size()); ++to) {
      const auto& incoming = all[static_cast<std::size_t>(to)]->exchange.*in;
      auto next = incoming.begin();
      const auto end = incoming.end();
      const auto of_sender = [&](const Incoming& each) { return each.peer == from; };
      for (const Outgoing& each : all[static_cast<std::size_t>(from)]->exchange.*out) {
        if (each.peer != to) continue;
        next = std::find_if(next, end, of_sender);
        ASSERT_NE(next, end);
        ASSERT_EQ(each.data.size(), next->data.size());
        std::memcpy(next->data.data(), each.data.data(), each.data.size());
        ++next;
      }
      EXPECT_EQ(std::find_if(next, end, of_sender), end);
    }
  }
}

void expect_sums_of_the_tree(int lanes, int ranks) {
  Members members;
  for (int rank = 0; rank < ranks; ++rank) {
    members.push_back(std::make_unique<Member>(ExchangePlan(lanes, kSize, ranks, rank)));
  }
  deliver(members, &PlannedExchange::partials_out, &PlannedExchange::partials_in);
  for (const auto& member : members) {
    add_along_tree(member->plan.program, member->exchange.addends, {0, member->plan.slice().size()},
                   member->exchange.sum);
  }
  deliver(members, &PlannedExchange::slices_out, &PlannedExchange::slices_in);
  const Member alone(ExchangePlan(lanes, kSize, 1, 0));
  for (const auto& member : members) EXPECT_EQ(member->sums, alone.partials[0]);
}

TEST(ExchangePlan, GivesTheTreesSumOnEveryNumberOfRanks) {
  for (int lanes = 1; lanes <= 9; ++lanes) {
    for (int ranks = 1; ranks <= lanes; ++ranks) {
      SCOPED_TRACE(testing::Message() << lanes << " lanes on " << ranks << " ranks");
      expect_sums_of_the_tree(lanes, ranks);
    }
  }
}

// More ranks than grains: some own no elements.
TEST(ExchangePlan, SlicesCoverAllElementsOnce) {
  for (const std::int64_t size : {1, 63, 64, 65, 1009}) {
    const ExchangePlan plan(32, size, 32, 7);
    std::int64_t next = 0;
    for (const Range& slice : plan.slices) {
      EXPECT_EQ(slice.first, next);
      EXPECT_TRUE(slice.first % 64 == 0 || slice.size() == 0);
      next = slice.last;
    }
    EXPECT_EQ(next, size);
  }
}

}  // namespace
}  // namespace lockstep
