// Where the values of the lane tree's nodes are added and what travels between members, slice
// by slice: the same on every member. See exchange_plan.h.
#pragma once

#include <span>
#include <vector>

#include "lockstep/parallel/lane_tree.h"

namespace lockstep {

// What a member without lanes sent last.
inline constexpr int kNoNode = -1;

class ValueRoutes {
 public:
  // Of the lanes of `tree`, by owners[lane] in [0, members). `member` is the one that asks.
  ValueRoutes(const LaneTree& tree, std::span<const int> owners, int members, int member);

  int slices() const { return static_cast<int>(order_.size()) * turns_; }
  // Of nodes: a child's is below its parent's, in [0, levels()).
  int levels() const { return nodes_.back().level + 1; }
  int level(int node) const { return node == kNoNode ? 0 : at(node).level; }

  class Visitor {
   public:
    virtual ~Visitor() = default;
    // The value of a node is added by member `at` and goes to member `to`. A program, told of
    // the asking member alone, has its partial sums by their place in lane order, received nodes
    // as their number plus the number of its partial sums, and kAdd.
    virtual void on_value(int node, int at, int to, int slice, const std::vector<int>& program) = 0;
    // The root's value is added by member `at`.
    virtual void on_result(int at, int slice, const std::vector<int>& program) = 0;
    // It goes from a member to one that sent it `node` last, or has no lanes.
    virtual void on_sum(int node, int from, int to, int slice) = 0;
  };
  void visit(Visitor& visitor) const;

 private:
  struct Node {
    int level = 1;
    int left = -1;  // or none, where all its lanes are one member's
    int right = -1;
    int partial = 0;           // then: its place among that member's partial sums
    std::vector<int> members;  // ascending, that own lanes of it
    std::vector<int> costs;    // values that travel until each of them has its value
    int least = 0;             // of these
  };
  // Of one slice.
  struct Trace;

  const Node& at(int node) const { return nodes_[static_cast<std::size_t>(node)]; }
  int build(const LaneTree& tree, LaneNode node, std::span<const int> owners,
            std::vector<int>& partials);
  int cost(int node, int member) const;
  bool is_added_at(int node, int member) const;
  int sender(int node, int other, int parent, int receiver, int turn) const;
  std::vector<int> order(int node) const;
  void add(Trace& trace, int node, int member, std::vector<int>& program) const;

  int member_;
  int members_;
  int own_partials_ = 0;
  std::vector<Node> nodes_;  // a child before its parent, the root last
  std::vector<int> order_;   // who finishes the slices
  int turns_;                // slices, one after the other, of each of them
};

}  // namespace lockstep
