// The part of the optimizers that looks at whole parameters: trust ratios, and matrices that
// are made orthogonal.

#include <algorithm>
#include <array>
#include <cmath>

#include "lockstep/core/clones.h"
#include "lockstep/parallel/lane_tree.h"
#include "lockstep/train/optimizer.h"
#include "train/muon.h"

namespace lockstep {

namespace {

LOCKSTEP_CLONES void lamb_moments(const AdamConstants k, const float factor, std::int64_t count,
                                  const float* __restrict gradient, float* __restrict first,
                                  float* __restrict second) {
  for (std::int64_t i = 0; i < count; ++i) {
    formula::lamb_moments(k, gradient[i] * factor, first[i], second[i]);
  }
}

LOCKSTEP_CLONES void lamb_directions(const AdamConstants k, const AdamStep step, const float decay,
                                     std::int64_t count, const float* __restrict weight,
                                     const float* __restrict first, const float* __restrict second,
                                     float* __restrict direction) {
  for (std::int64_t i = 0; i < count; ++i) {
    direction[i] = formula::lamb_direction(k, step, decay, weight[i], first[i], second[i]);
  }
}

// Multiply-adds of its products, in proportion.
std::int64_t cost_of(const UpdatePart& matrix) {
  const std::int64_t shorter = std::min(matrix.rows, matrix.columns);
  return shorter * shorter * (2 * std::max(matrix.rows, matrix.columns) + shorter);
}

}  // namespace

std::vector<RatioBlock> ratio_blocks(std::span<const UpdatePart> parts) {
  std::vector<RatioBlock> blocks;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Range& all = parts[i].range;
    for (std::int64_t first = all.first; first < all.last; first += kRatioBlock) {
      blocks.push_back({i, {first, std::min(first + kRatioBlock, all.last)}});
    }
  }
  return blocks;
}

std::vector<std::size_t> matrices_by_cost(std::span<const UpdatePart> parts) {
  std::vector<std::size_t> matrices;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].as == UpdatePart::As::kMatrix) matrices.push_back(i);
  }
  std::stable_sort(matrices.begin(), matrices.end(), [&](std::size_t a, std::size_t b) {
    return cost_of(parts[a]) > cost_of(parts[b]);
  });
  return matrices;
}

float muon_scale(const UpdatePart& matrix) {
  return static_cast<float>(0.2 *
                            std::sqrt(static_cast<double>(std::max(matrix.rows, matrix.columns))));
}

bool Optimizer::prepares() const { return !blocks_.empty() || !matrices_.empty(); }

void Optimizer::prepare(int worker, int count, std::span<float> weights,
                        std::span<const float> gradients, const UpdateRule& rule) {
  // Each matrix goes to whoever has the least to do.
  std::vector<std::int64_t> costs(static_cast<std::size_t>(count), 0);
  for (const std::size_t index : matrices_) {
    const UpdatePart& matrix = parts_[index];
    const auto least = std::min_element(costs.begin(), costs.end());
    *least += cost_of(matrix);
    if (least - costs.begin() != worker) continue;
    move_matrix(matrix, at(matrix.range.first, weights, gradients), rule);
  }
  const Range mine = share_of(static_cast<std::int64_t>(blocks_.size()), count, worker);
  for (std::int64_t block = mine.first; block < mine.last; ++block) {
    const auto index = static_cast<std::size_t>(block);
    measure(index, at(blocks_[index].range.first, weights, gradients), rule);
  }
}

void Optimizer::measure(std::size_t index, const At& at, const UpdateRule& rule) {
  const RatioBlock& block = blocks_[index];
  const UpdatePart& part = parts_[block.part];
  const std::int64_t size = block.range.size();
  const bool adapted = part.as == UpdatePart::As::kAdapted;
  Squares& squares = squares_[index];
  if (adapted) squares.weights = square_sum(at.weight, size);
  if (update_kind(options_) == UpdateKind::kLars) {
    const double factor = rule.gradient_factor;
    if (adapted) squares.others = factor * factor * square_sum(at.gradient, size);
    return;
  }
  const AdamConstants k = adam_constants(options_);
  lamb_moments(k, rule.gradient_factor, size, at.gradient, at.first, at.second);
  if (!adapted) return;
  std::array<float, kRatioBlock> directions;
  lamb_directions(k, adam_step(options_, rule.learning_rate, rule.step), part.decay, size,
                  at.weight, at.first, at.second, directions.data());
  squares.others = square_sum(directions.data(), size);
}

void Optimizer::finish_preparation() noexcept {
  const bool lamb = update_kind(options_) == UpdateKind::kLamb;
  for (std::size_t begin = 0, end = 0; begin < blocks_.size(); begin = end) {
    const std::size_t index = blocks_[begin].part;
    Squares sum;
    for (; end < blocks_.size() && blocks_[end].part == index; ++end) {
      sum.weights += squares_[end].weights;
      sum.others += squares_[end].others;
    }
    const UpdatePart& part = parts_[index];
    if (part.as != UpdatePart::As::kAdapted) continue;
    ratios_[index] = lamb ? formula::lamb_ratio(sum.weights, sum.others)
                          : formula::lars_ratio(trust_coefficient(options_), part.decay,
                                                sum.weights, sum.others);
  }
}

void Optimizer::move_matrix(const UpdatePart& part, const At& at, const UpdateRule& rule) const {
  const float rate = rule.learning_rate * part.rate_factor;
  move_orthogonally({.rows = part.rows,
                     .columns = part.columns,
                     .momentum = sgd_constants(options_).momentum,
                     .gradient_factor = rule.gradient_factor,
                     .rate = rate * muon_scale(part),
                     .keep = 1 - rate * part.decay},
                    at.gradient, at.weight, at.first);
}

}  // namespace lockstep
