// The fixed binary tree over lanes, and sums along it. See lane_sum.h.
#pragma once

#include <cstdint>
#include <vector>

#include "lockstep/core/share.h"

namespace lockstep {

struct LaneNode {
  int level = 0;
  int index = 0;

  LaneNode left() const { return {level - 1, 2 * index}; }
  LaneNode right() const { return {level - 1, 2 * index + 1}; }
  bool operator==(const LaneNode&) const = default;
};

class LaneTree {
 public:
  explicit LaneTree(int lanes);

  int lanes() const { return lanes_; }
  LaneNode root() const { return root_; }
  // The lanes that a node covers; empty past the last lane.
  Range lanes_of(LaneNode node) const;
  // The largest nodes that lie within `lanes`, in lane order.
  std::vector<LaneNode> complete_nodes(Range lanes) const;

 private:
  void collect(LaneNode node, Range lanes, std::vector<LaneNode>& found) const;

  int lanes_;
  LaneNode root_;
};

// A node's values, present in memory.
struct NodeValues {
  LaneNode node;
  const float* values;
  std::int64_t first = 0;  // element of the buffer that values[0] is
};

// Adds along the tree, for elements [range.first, range.last): to[i - range.first]
// becomes the value of `node`. `known` must cover all lanes of the node.
void add_along_tree(const LaneTree& tree, LaneNode node, const std::vector<NodeValues>& known,
                    Range range, float* to);

// The sum of squares in double, in element order.
double square_sum(const float* values, std::int64_t count);

}  // namespace lockstep
