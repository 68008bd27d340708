// The orthogonalization of Muon (Jordan et al. 2024), by LibTorch's matrix products, on the
// device of the matrix. Any thread.
#pragma once

#include <cstdint>

namespace at {
class Tensor;
}

namespace lockstep {

// For a matrix [rows, columns] in fp32 with the singular values s, and the same singular
// vectors: those of x = matrix / max(|matrix|, 1e-7), by 5 rounds of the Newton-Schulz
// iteration x = a x + (b x x' + c (x x')^2) x with a = 3.4445, b = -4.7750, c = 2.0315, all
// in fp32; where one side is much longer than the other, by the small square x x' alone, whose
// factors commute. They come near to 1, between about 0.7 and 1.2, where s is not small.
at::Tensor orthogonalized(const at::Tensor& matrix);

// Floats that it takes beside the matrix, at most.
constexpr std::int64_t orthogonalizing_floats(std::int64_t rows, std::int64_t columns) {
  const std::int64_t shorter = rows < columns ? rows : columns;
  return 3 * rows * columns + 6 * shorter * shorter;
}

}  // namespace lockstep
