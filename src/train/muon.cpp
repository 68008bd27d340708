#include "train/muon.h"

#include <ATen/ops/empty.h>

#include "lockstep/core/clones.h"
#include "lockstep/core/learning_formulas.h"
#include "lockstep/train/orthogonal.h"

namespace lockstep {

namespace {

LOCKSTEP_CLONES void directions(const float k, const float factor, std::int64_t count,
                                const float* __restrict gradient, float* __restrict momentum,
                                float* __restrict direction) {
  for (std::int64_t i = 0; i < count; ++i) {
    direction[i] = formula::muon_direction(k, gradient[i] * factor, momentum[i]);
  }
}

LOCKSTEP_CLONES void moves(const float rate, const float keep, std::int64_t count,
                           const float* __restrict direction, float* __restrict weight) {
  for (std::int64_t i = 0; i < count; ++i) {
    weight[i] = formula::muon(rate, keep, direction[i], weight[i]);
  }
}

}  // namespace

void move_orthogonally(const MatrixMove& move, const float* gradient, float* weight,
                       float* momentum) {
  const std::int64_t count = move.rows * move.columns;
  const at::Tensor matrix = at::empty({move.rows, move.columns}, at::kFloat);
  directions(move.momentum, move.gradient_factor, count, gradient, momentum,
             matrix.data_ptr<float>());
  const at::Tensor direction = orthogonalized(matrix).contiguous();
  moves(move.rate, move.keep, count, direction.const_data_ptr<float>(), weight);
}

}  // namespace lockstep
