// The fixed binary tree over lanes, and sums along it. See lane_sum.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/core/formulas.h"
#include "lockstep/core/share.h"
#include "lockstep/parallel/options.h"

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
  // The largest nodes of which `owner` owns all lanes, by owners[lane]; in lane order.
  std::vector<LaneNode> complete_nodes(std::span<const int> owners, int owner) const;

 private:
  void collect(LaneNode node, std::span<const int> owners, int owner,
               std::vector<LaneNode>& found) const;

  int lanes_;
  LaneNode root_;
};

// The nodes of single lanes.
std::vector<LaneNode> leaves(Range lanes);

// A program that adds to the value of `node`, in postfix order: indices in `known`, which
// covers its lanes, and kAdd.
std::vector<int> postfix(const LaneTree& tree, LaneNode node, std::span<const LaneNode> known);

// Runs such a program for elements [range.first, range.last) of `values`, the known nodes':
// to[i - range.first] becomes the sum. Values and sums are rounded to `wire`.
void add_along_tree(std::span<const int> program, std::span<const float* const> values, Range range,
                    float* to, Wire wire = Wire::kFp32);

// The values as bf16, rounded to nearest even, and back.
void pack(std::span<const float> values, std::uint16_t* packed);
void unpack(const std::uint16_t* packed, std::span<float> values);

// The sum of squares in double, in element order.
double square_sum(const float* values, std::int64_t count);

}  // namespace lockstep
