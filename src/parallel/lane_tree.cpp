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

LOCKSTEP_CLONES void add_bf16(const float* a, const float* b, float* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float left = formula::from_bf16(formula::to_bf16(a[i]));
    const float right = formula::from_bf16(formula::to_bf16(b[i]));
    to[i] = formula::from_bf16(formula::to_bf16(left + right));
  }
}

LOCKSTEP_CLONES void copy_bf16(const float* from, float* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    to[i] = formula::from_bf16(formula::to_bf16(from[i]));
  }
}

LOCKSTEP_CLONES void pack_bf16(const float* from, std::uint16_t* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = formula::to_bf16(from[i]);
}

LOCKSTEP_CLONES void unpack_bf16(const std::uint16_t* from, float* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = formula::from_bf16(from[i]);
}

void write_postfix(const LaneTree& tree, LaneNode node, std::span<const LaneNode> known,
                   std::vector<int>& program) {
  const auto found = std::find(known.begin(), known.end(), node);
  if (found != known.end()) {
    program.push_back(static_cast<int>(found - known.begin()));
    return;
  }
  if (node.level == 0) fail_internal("lane {} is missing from a sum", node.index);
  write_postfix(tree, node.left(), known, program);
  if (tree.lanes_of(node.right()).size() == 0) return;
  write_postfix(tree, node.right(), known, program);
  program.push_back(kAdd);
}

// The sum for one block: where it lies in memory already, or `to` after writing it there.
const float* block_sum(std::span<const int> program, std::span<const float* const> values,
                       Range block, float* to, Wire wire) {
  std::array<std::array<float, kBlock>, kDeepestTree> scratch;  // not written: costs nothing
  std::array<const float*, kDeepestTree> stack;
  std::size_t depth = 0;
  for (const int step : program) {
    if (step != kAdd) {
      stack[depth++] = values[static_cast<std::size_t>(step)] + block.first;
      continue;
    }
    --depth;
    float* const sum = depth == 1 ? to : scratch[depth - 1].data();
    (wire == Wire::kBf16 ? add_bf16 : add)(stack[depth - 1], stack[depth], sum, block.size());
    stack[depth - 1] = sum;
  }
  return stack[0];
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

std::vector<LaneNode> LaneTree::complete_nodes(std::span<const int> owners, int owner) const {
  std::vector<LaneNode> found;
  collect(root_, owners, owner, found);
  return found;
}

void LaneTree::collect(LaneNode node, std::span<const int> owners, int owner,
                       std::vector<LaneNode>& found) const {
  const Range lanes = lanes_of(node);
  const auto begin = owners.begin() + lanes.first;
  const auto owned = std::count(begin, owners.begin() + lanes.last, owner);
  if (owned == 0) return;
  if (owned == lanes.size()) {
    found.push_back(node);
    return;
  }
  collect(node.left(), owners, owner, found);
  collect(node.right(), owners, owner, found);
}

std::vector<LaneNode> leaves(Range lanes) {
  std::vector<LaneNode> nodes;
  for (std::int64_t lane = lanes.first; lane < lanes.last; ++lane) {
    nodes.push_back({0, static_cast<int>(lane)});
  }
  return nodes;
}

std::vector<int> postfix(const LaneTree& tree, LaneNode node, std::span<const LaneNode> known) {
  std::vector<int> program;
  write_postfix(tree, node, known, program);
  return program;
}

void add_along_tree(std::span<const int> program, std::span<const float* const> values, Range range,
                    float* to, Wire wire) {
  for (std::int64_t first = range.first; first < range.last; first += kBlock) {
    const Range block{first, std::min(first + kBlock, range.last)};
    float* target = to + (first - range.first);
    const float* sum = block_sum(program, values, block, target, wire);
    if (sum != target && wire == Wire::kBf16) {
      copy_bf16(sum, target, block.size());
    } else if (sum != target) {
      std::memcpy(target, sum, static_cast<std::size_t>(block.size()) * sizeof(float));
    }
  }
}

void pack(std::span<const float> values, std::uint16_t* packed) {
  pack_bf16(values.data(), packed, static_cast<std::int64_t>(values.size()));
}

void unpack(const std::uint16_t* packed, std::span<float> values) {
  unpack_bf16(packed, values.data(), static_cast<std::int64_t>(values.size()));
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
