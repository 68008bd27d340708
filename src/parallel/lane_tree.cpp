#include "lockstep/parallel/lane_tree.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "lockstep/core/clones.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr std::int64_t kBlock = 2048;  // floats added at a time, so that they stay in cache

LOCKSTEP_CLONES void add(const float* a, const float* b, float* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = a[i] + b[i];
}

const NodeValues* find(const std::vector<NodeValues>& known, LaneNode node) {
  for (const NodeValues& each : known) {
    if (each.node == node) return &each;
  }
  return nullptr;
}

// The value of `node` for one block: where it lies in memory already, or `scratch`
// after writing it there.
const float* block_value(const LaneTree& tree, LaneNode node, const std::vector<NodeValues>& known,
                         Range block, float* scratch) {
  if (const NodeValues* found = find(known, node)) {
    return found->values + (block.first - found->first);
  }
  if (node.level == 0) fail_internal("lane {} is missing from a sum", node.index);
  const bool has_right = tree.lanes_of(node.right()).size() > 0;
  if (!has_right) return block_value(tree, node.left(), known, block, scratch);
  std::array<float, kBlock> right_scratch;
  const float* left = block_value(tree, node.left(), known, block, scratch);
  const float* right = block_value(tree, node.right(), known, block, right_scratch.data());
  add(left, right, scratch, block.size());
  return scratch;
}

}  // namespace

LaneTree::LaneTree(int lanes) : lanes_(lanes) {
  while ((1 << root_.level) < lanes) ++root_.level;
}

Range LaneTree::lanes_of(LaneNode node) const {
  const std::int64_t width = std::int64_t{1} << node.level;
  const std::int64_t first = std::min<std::int64_t>(node.index * width, lanes_);
  return {first, std::min<std::int64_t>(first + width, lanes_)};
}

std::vector<LaneNode> LaneTree::complete_nodes(Range lanes) const {
  std::vector<LaneNode> found;
  collect(root_, lanes, found);
  return found;
}

void LaneTree::collect(LaneNode node, Range lanes, std::vector<LaneNode>& found) const {
  const Range own = lanes_of(node);
  if (own.size() == 0 || own.last <= lanes.first || lanes.last <= own.first) return;
  if (lanes.first <= own.first && own.last <= lanes.last) {
    found.push_back(node);
    return;
  }
  collect(node.left(), lanes, found);
  collect(node.right(), lanes, found);
}

void add_along_tree(const LaneTree& tree, LaneNode node, const std::vector<NodeValues>& known,
                    Range range, float* to) {
  for (std::int64_t first = range.first; first < range.last; first += kBlock) {
    const Range block{first, std::min(first + kBlock, range.last)};
    float* target = to + (first - range.first);
    const float* value = block_value(tree, node, known, block, target);
    if (value != target) {
      std::memcpy(target, value, static_cast<std::size_t>(block.size()) * sizeof(float));
    }
  }
}

// Eight running sums, so that the additions need not wait for one another.
LOCKSTEP_CLONES double square_sum(const float* values, std::int64_t count) {
  std::array<double, 8> sums{};
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (std::size_t k = 0; k < 8; ++k) {
      const double value = values[i + static_cast<std::int64_t>(k)];
      sums[k] += value * value;
    }
  }
  for (; i < count; ++i) sums[0] += static_cast<double>(values[i]) * values[i];
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

}  // namespace lockstep
