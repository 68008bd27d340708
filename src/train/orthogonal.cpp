#include "lockstep/train/orthogonal.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/div.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/mm.h>

namespace lockstep {

namespace {

constexpr int kRounds = 5;
constexpr double kA = 3.4445;
constexpr double kB = -4.7750;
constexpr double kC = 2.0315;
constexpr double kLeastNorm = 1e-7;

}  // namespace

at::Tensor orthogonalized(const at::Tensor& matrix) {
  // Of the two products with its transpose the smaller one.
  const bool tall = matrix.size(0) > matrix.size(1);
  at::Tensor x = at::div(matrix, at::linalg_vector_norm(matrix).clamp_min(kLeastNorm));
  if (tall) x = x.t();
  for (int round = 0; round < kRounds; ++round) {
    const at::Tensor square = at::mm(x, x.t());
    const at::Tensor factor = at::addmm(square, square, square, kB, kC);
    x = at::addmm(x, factor, x, kA, 1);
  }
  return tall ? x.t() : x;
}

}  // namespace lockstep
