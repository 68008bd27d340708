#include "lockstep/parallel/lane_tree.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lockstep {
namespace {

TEST(LaneTree, RootCoversAllLanes) {
  const int levels[] = {0, 1, 2, 2, 3, 3, 3, 3, 4};  // ceil(log2(lanes)), lanes from 1
  for (int lanes = 1; lanes <= 9; ++lanes) {
    const LaneTree tree(lanes);
    EXPECT_EQ(tree.root(), (LaneNode{levels[lanes - 1], 0}));
    EXPECT_EQ(tree.lanes_of(tree.root()), (Range{0, lanes}));
  }
}

TEST(LaneTree, NodesCoverPowersOfTwoCutAtTheLastLane) {
  const LaneTree tree(5);
  EXPECT_EQ(tree.lanes_of({0, 4}), (Range{4, 5}));
  EXPECT_EQ(tree.lanes_of({1, 1}), (Range{2, 4}));
  EXPECT_EQ(tree.lanes_of({1, 2}), (Range{4, 5}));
  EXPECT_EQ(tree.lanes_of({2, 1}), (Range{4, 5}));
  EXPECT_EQ(tree.lanes_of({1, 3}).size(), 0);
}

// Owner 1 owns `span`, owner 0 the other lanes.
std::vector<int> owning(int lanes, Range span) {
  std::vector<int> owners;
  for (int lane = 0; lane < lanes; ++lane) owners.push_back(span.contains(lane) ? 1 : 0);
  return owners;
}

TEST(LaneTree, CompleteNodesOfASpan) {
  const LaneTree tree(7);
  using Nodes = std::vector<LaneNode>;
  EXPECT_EQ(tree.complete_nodes(owning(7, {0, 7}), 1), (Nodes{{3, 0}}));
  EXPECT_EQ(tree.complete_nodes(owning(7, {0, 4}), 1), (Nodes{{2, 0}}));
  EXPECT_EQ(tree.complete_nodes(owning(7, {1, 4}), 1), (Nodes{{0, 1}, {1, 1}}));
  EXPECT_EQ(tree.complete_nodes(owning(7, {3, 7}), 1), (Nodes{{0, 3}, {2, 1}}));  // lane 7 is none
  EXPECT_EQ(tree.complete_nodes(owning(7, {1, 6}), 1), (Nodes{{0, 1}, {1, 1}, {1, 2}}));
  EXPECT_EQ(tree.complete_nodes(owning(7, {3, 3}), 1), Nodes{});
}

TEST(LaneTree, CompleteNodesTileTheSpan) {
  for (int lanes = 1; lanes <= 17; ++lanes) {
    const LaneTree tree(lanes);
    for (std::int64_t first = 0; first <= lanes; ++first) {
      for (std::int64_t last = first; last <= lanes; ++last) {
        std::int64_t next = first;
        for (const LaneNode& node : tree.complete_nodes(owning(lanes, {first, last}), 1)) {
          EXPECT_EQ(tree.lanes_of(node).first, next);
          next = tree.lanes_of(node).last;
        }
        EXPECT_EQ(next, last);
      }
    }
  }
}

TEST(LaneTree, PostfixIsTheTreesOrder) {
  const LaneTree tree(5);
  EXPECT_EQ(postfix(tree, tree.root(), leaves({0, 5})),
            (std::vector<int>{0, 1, -1, 2, 3, -1, -1, 4, -1}));
  const std::vector<LaneNode> mixed = {{0, 4}, {1, 1}, {0, 0}, {0, 1}};
  EXPECT_EQ(postfix(tree, tree.root(), mixed), (std::vector<int>{2, 3, -1, 1, -1, 0, -1}));
}

// 1 + 2^-24 twice loses both small terms, their sum first keeps them.
TEST(LaneTree, AddsInTheOrderOfTheTree) {
  const float tiny = 0x1.0p-24F;
  const float one[] = {1};
  const float small[] = {tiny};
  const LaneTree four(4);
  const std::vector<const float*> lanes = {one, small, small, small};
  float sum = 0;
  add_along_tree(postfix(four, four.root(), leaves({0, 4})), lanes, {0, 1}, &sum);
  EXPECT_EQ(sum, 1 + 2 * tiny);  // (1 + tiny) + (tiny + tiny)

  const LaneTree three(3);
  const std::vector<LaneNode> known = {{1, 0}, {0, 2}};
  const std::vector<const float*> values = {small, one};
  add_along_tree(postfix(three, three.root(), known), values, {0, 1}, &sum);
  EXPECT_EQ(sum, 1.0F);  // tiny + 1: the sum of lanes 0 and 1 was known
}

TEST(LaneTree, RangesMayCrossBlocks) {
  std::vector<float> first(10'007);
  std::vector<float> second(first.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    first[i] = static_cast<float>(i);
    second[i] = static_cast<float>(i * i % 1000);
  }
  const LaneTree tree(2);
  const std::vector<const float*> values = {first.data(), second.data()};
  std::vector<float> sum(9000);
  add_along_tree(postfix(tree, tree.root(), leaves({0, 2})), values, {997, 9997}, sum.data());
  for (std::size_t i = 0; i < sum.size(); ++i) ASSERT_EQ(sum[i], first[i + 997] + second[i + 997]);
}

TEST(SquareSum, IsExactForSmallIntegersOfAnyCount) {
  std::vector<float> values;
  for (int count = 0; count <= 40; ++count) {
    EXPECT_EQ(square_sum(values.data(), count), count * (count + 1) * (2 * count + 1) / 6);
    values.push_back(static_cast<float>(count + 1));
  }
}

TEST(SquareSum, IsInDoubleAndShowsWhatIsNotFinite) {
  std::vector<float> values(9, 1e30F);
  EXPECT_NEAR(square_sum(values.data(), 9) / 9e60, 1, 1e-6);
  values[8] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(std::isfinite(square_sum(values.data(), 9)));
  values[8] = 0;
  values[2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(std::isfinite(square_sum(values.data(), 9)));
}

}  // namespace
}  // namespace lockstep
