#include "lockstep/parallel/exchange_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <utility>

#include "lockstep/parallel/lane_tree.h"

namespace lockstep {
namespace {

using Owners = std::vector<int>;

// The members' contiguous shares.
Owners shared_out(int lanes, int members) {
  Owners owners;
  for (int lane = 0; lane < lanes; ++lane) {
    owners.push_back(static_cast<int>(part_of(lanes, members, lane)));
  }
  return owners;
}

float value_of(std::int64_t lane, std::int64_t i) {
  const auto mixed = static_cast<std::uint32_t>(lane * 7919 + i * 104729 + 13);
  return (static_cast<float>(mixed % 2003) - 1001) / 997 * (mixed % 5 == 0 ? 1e4F : 1.0F);
}

// The value of the tree's node as lane_sum.h defines it.
float node_value(int lanes, int level, int index, std::int64_t i) {
  if (level == 0) return value_of(index, i);
  const float left = node_value(lanes, level - 1, 2 * index, i);
  if (((2 * index + 1) << (level - 1)) >= lanes) return left;
  return left + node_value(lanes, level - 1, 2 * index + 1, i);
}

std::vector<float> tree_sum(int lanes, std::int64_t size) {
  int level = 0;
  while ((1 << level) < lanes) ++level;
  std::vector<float> sums;
  for (std::int64_t i = 0; i < size; ++i) sums.push_back(node_value(lanes, level, 0, i));
  return sums;
}

struct Member {
  Member(const Owners& owners, int members, int member, std::int64_t size)
      : plan(owners, members, member), sums(static_cast<std::size_t>(size)) {
    std::vector<std::vector<float>> lanes;
    std::vector<const float*> inputs;
    for (const std::int64_t lane : plan.lanes) {
      auto& values = lanes.emplace_back();
      for (std::int64_t i = 0; i < size; ++i) values.push_back(value_of(lane, i));
    }
    for (const auto& each : lanes) inputs.push_back(each.data());
    partials.resize(plan.partials.size(), std::vector<float>(static_cast<std::size_t>(size)));
    std::vector<float*> values;
    for (std::size_t i = 0; i < partials.size(); ++i) {
      add_along_tree(plan.partials[i], inputs, {0, size}, partials[i].data());
      values.push_back(partials[i].data());
    }
    stored.resize(static_cast<std::size_t>(plan.stored_size({0, size})));
    rounds = plan.bind({0, size}, values, stored.data(), sums.data());
  }

  ExchangePlan plan;
  std::vector<std::vector<float>> partials;
  std::vector<float> stored;
  std::vector<float> sums;
  std::vector<PlannedRound> rounds;
  std::size_t round = 0;
  bool is_sent = false;
  std::size_t received = 0;  // of the round's
  std::int64_t messages_out = 0;
  std::size_t bytes_out = 0;
  std::size_t bytes_in = 0;
};

// Carries the members' plans out together: messages between two arrive in their order.
class Network {
 public:
  Network(const Owners& owners, int members, std::int64_t size) {
    for (int i = 0; i < members; ++i) {
      members_.push_back(std::make_unique<Member>(owners, members, i, size));
    }
  }

  void run() {
    bool moved = true;
    while (moved) {
      moved = false;
      for (int i = 0; i < static_cast<int>(members_.size()); ++i) {
        while (advance(i)) moved = true;
      }
    }
    for (const auto& each : members_)
      EXPECT_EQ(each->round, each->rounds.size()) << "it waits for ever";
    for (const auto& [between, queue] : queues_) EXPECT_TRUE(queue.empty());
  }

  const Member& operator[](std::size_t i) const { return *members_[i]; }
  std::size_t size() const { return members_.size(); }

 private:
  bool advance(int i) {
    Member& member = *members_[static_cast<std::size_t>(i)];
    if (member.round == member.rounds.size()) return false;
    PlannedRound& round = member.rounds[member.round];
    if (!std::exchange(member.is_sent, true)) send(i, member, round);
    while (member.received < round.in.size()) {
      const Incoming& in = round.in[member.received];
      auto& queue = queues_[{in.peer, i}];
      if (queue.empty()) return false;
      EXPECT_EQ(queue.front().size(), in.data.size());
      std::copy(queue.front().begin(), queue.front().end(), in.data.begin());
      queue.pop_front();
      member.bytes_in += in.data.size();
      ++member.received;
    }
    ++member.round;
    member.is_sent = false;
    member.received = 0;
    return true;
  }

  void send(int i, Member& member, const PlannedRound& round) {
    for (const auto& each : round.additions) {
      add_along_tree(each.program, each.addends, {0, each.elements.size()}, each.sum);
    }
    for (const Outgoing& out : round.out) {
      EXPECT_NE(out.peer, i);
      queues_[{i, out.peer}].emplace_back(out.data.begin(), out.data.end());
      member.bytes_out += out.data.size();
      ++member.messages_out;
    }
  }

  std::vector<std::unique_ptr<Member>> members_;
  std::map<std::pair<int, int>, std::deque<std::vector<std::byte>>> queues_;
};

void expect_sums_of_the_tree(const Owners& owners, int members, std::int64_t size) {
  SCOPED_TRACE(testing::Message() << owners.size() << " lanes, " << members << " members, "
                                  << size);
  Network network(owners, members, size);
  network.run();
  const std::vector<float> expected = tree_sum(static_cast<int>(owners.size()), size);
  for (std::size_t i = 0; i < network.size(); ++i) {
    ASSERT_EQ(std::memcmp(network[i].sums.data(), expected.data(), expected.size() * sizeof(float)),
              0)
        << "member " << i;
  }
}

TEST(ExchangePlan, GivesTheTreesSumAtEveryNumberOfMembers) {
  for (int lanes = 1; lanes <= 17; ++lanes) {
    for (int members = 1; members <= lanes; ++members) {
      expect_sums_of_the_tree(shared_out(lanes, members), members, 1009);
    }
  }
}

TEST(ExchangePlan, GivesTheTreesSumOfManyMembers) {
  for (const int members : {24, 31, 32, 33, 48, 63, 64}) {
    for (const int lanes : {64, 65, 96, 100, 128}) {
      expect_sums_of_the_tree(shared_out(lanes, members), members, 64 * 64 + 5);
    }
  }
}

// As ranks are dealt to nodes in turn, and to nodes of unequal size.
TEST(ExchangePlan, TakesAnyOwners) {
  for (int lanes = 2; lanes <= 13; ++lanes) {
    for (int members = 2; members <= std::min(lanes, 5); ++members) {
      Owners in_turn;
      Owners mixed;
      for (int lane = 0; lane < lanes; ++lane) in_turn.push_back(lane % members);
      for (int lane = 0; lane < lanes; ++lane) {
        mixed.push_back(lane < members ? lane : lane * 7 % 11 % members);
      }
      expect_sums_of_the_tree(in_turn, members, 500);
      expect_sums_of_the_tree(mixed, members, 500);
    }
  }
  expect_sums_of_the_tree({0, 0, 0, 0, 0, 1, 1, 2}, 3, 500);
}

TEST(ExchangePlan, TakesMembersWithoutLanes) {
  for (int members = 2; members <= 9; ++members) {
    for (int lanes = 1; lanes < members; ++lanes) {
      expect_sums_of_the_tree(shared_out(lanes, members), members, 500);
    }
  }
}

// Fewer elements than slices: some are empty.
TEST(ExchangePlan, TakesAnySize) {
  for (const std::int64_t size : {1, 63, 64, 65, 129}) {
    expect_sums_of_the_tree(shared_out(9, 4), 4, size);
    expect_sums_of_the_tree(shared_out(16, 5), 5, size);
  }
}

// Whole subtrees of equal size: (N - 1) / N of the elements twice, in 2 log2 N messages.
TEST(ExchangePlan, OfPowersOfTwoIsHalvingAndDoubling) {
  for (const int members : {1, 2, 4, 8, 16, 32, 64}) {
    for (const int lanes_of_member : {1, 2, 4}) {
      const std::int64_t size = 64 * 64 * 2;
      Network network(shared_out(members * lanes_of_member, members), members, size);
      network.run();
      const std::size_t bytes =
          2 * sizeof(float) * static_cast<std::size_t>(size / members * (members - 1));
      for (std::size_t i = 0; i < network.size(); ++i) {
        EXPECT_EQ(network[i].plan.partials.size(), 1U);
        EXPECT_EQ(network[i].messages_out,
                  2 * (std::bit_width(static_cast<unsigned>(members)) - 1));
        EXPECT_EQ(network[i].bytes_out, bytes);
        EXPECT_EQ(network[i].bytes_in, bytes);
      }
    }
  }
}

// Eight lanes on four members; the tree's neighbours first.
TEST(ExchangePlan, OfFourMembersIsThis) {
  const ExchangePlan plan(shared_out(8, 4), 4, 1);
  EXPECT_EQ(plan.lanes, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(plan.partials, (std::vector<std::vector<int>>{{0, 1, kAdd}}));
  EXPECT_EQ(plan.slices, 4);  // finished by members 0, 2, 1 and 3
  ASSERT_EQ(plan.rounds.size(), 4U);
  std::vector<int> peers_out;
  std::vector<int> peers_in;
  std::vector<Range> slices_out;
  for (const auto& round : plan.rounds) {
    for (const auto& each : round.out) {
      peers_out.push_back(each.peer);
      slices_out.push_back(each.slices);
    }
    for (const auto& each : round.in) peers_in.push_back(each.peer);
  }
  EXPECT_EQ(peers_out, (std::vector<int>{0, 3, 3, 0}));
  EXPECT_EQ(peers_in, peers_out);
  EXPECT_EQ(slices_out, (std::vector<Range>{{0, 2}, {3, 4}, {2, 3}, {2, 4}}));
}

// The fewest values that any choice of places moves for one element, by trying all.
int fewest_moves(const LaneTree& tree, LaneNode node, const Owners& owners, int members, int at) {
  if (tree.lanes_of(node).size() == 0) return 0;
  int best = 1 << 20;
  for (int place = 0; place < members; ++place) {
    int moves = place == at ? 0 : 1;
    if (node.level == 0) {
      if (owners[static_cast<std::size_t>(node.index)] != place) continue;
    } else {
      moves += fewest_moves(tree, node.left(), owners, members, place);
      moves += fewest_moves(tree, node.right(), owners, members, place);
    }
    best = std::min(best, moves);
  }
  return best;
}

TEST(ExchangePlan, MovesTheFewestValues) {
  for (const auto& [lanes, members] : {std::pair{5, 2}, {5, 3}, {6, 4}, {7, 3}, {8, 3}, {8, 5}}) {
    SCOPED_TRACE(testing::Message() << lanes << " lanes, " << members << " members");
    const Owners owners = shared_out(lanes, members);
    const LaneTree tree(lanes);
    std::int64_t fewest = 0;
    for (int at = 0; at < members; ++at) {
      fewest += fewest_moves(tree, tree.root(), owners, members, at);
    }
    const std::int64_t slice = 64;
    const ExchangePlan plan(owners, members, 0);
    Network network(owners, members, plan.slices * slice);
    network.run();
    std::int64_t bytes = 0;
    for (std::size_t i = 0; i < network.size(); ++i) {
      bytes += static_cast<std::int64_t>(network[i].bytes_out);
    }
    const std::int64_t of_a_finisher = plan.slices / members * slice * 4;
    EXPECT_EQ(bytes, of_a_finisher * (fewest + members * (members - 1)));
  }
}

}  // namespace
}  // namespace lockstep
