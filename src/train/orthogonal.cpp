#include "lockstep/train/orthogonal.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/diagonal.h>
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
// From where the products of both kinds cost the same: 5 (2 longer + shorter) of them as the
// iteration says, 2 longer + 18 shorter by the small square.
constexpr double kLongSides = 1.625;

// a + b square + c square^2.
at::Tensor factor_of(const at::Tensor& square) {
  at::Tensor factor = at::addmm(square, square, square, kB, kC);
  factor.diagonal().add_(kA);
  return factor;
}

// A round multiplies x by a factor that x x' alone decides, and all these matrices commute: the
// factors are found from the square, and x is multiplied by their product.
at::Tensor turned_by_square(const at::Tensor& x) {
  at::Tensor square = at::mm(x, x.t());
  at::Tensor product;
  for (int round = 1; round < kRounds; ++round) {
    const at::Tensor factor = factor_of(square);
    product = product.defined() ? at::mm(factor, product) : factor;
    square = at::mm(factor, at::mm(square, factor));
  }
  return at::mm(at::mm(factor_of(square), product), x);
}

at::Tensor turned(at::Tensor x) {
  for (int round = 0; round < kRounds; ++round) {
    const at::Tensor square = at::mm(x, x.t());
    const at::Tensor factor = at::addmm(square, square, square, kB, kC);
    x = at::addmm(x, factor, x, kA, 1);
  }
  return x;
}

}  // namespace

at::Tensor orthogonalized(const at::Tensor& matrix) {
  // Of the two products with its transpose the smaller one.
  const bool tall = matrix.size(0) > matrix.size(1);
  const at::Tensor x = at::div(matrix, at::linalg_vector_norm(matrix).clamp_min(kLeastNorm));
  const at::Tensor flat = tall ? x.t() : x;
  const bool is_long = static_cast<double>(flat.size(1)) > kLongSides * flat.size(0);
  const at::Tensor result = is_long ? turned_by_square(flat) : turned(flat);
  return tall ? result.t() : result;
}

}  // namespace lockstep
