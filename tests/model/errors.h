// How far flat values are from a tensor in double.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "lockstep/core/share.h"

namespace lockstep::gradients {

struct Errors {
  double largest = 0;   // of the differences
  double norm = 0;      // of the differences
  double expected = 0;  // largest expected value
  double expected_norm = 0;
};

inline Errors compare(std::span<const float> values, const at::Tensor& expected) {
  const at::Tensor flat = expected.contiguous().to(at::kDouble);
  const double* reference = flat.data_ptr<double>();
  Errors errors;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double error = std::abs(values[i] - reference[i]);
    errors.largest = std::max(errors.largest, error);
    errors.norm += error * error;
    errors.expected = std::max(errors.expected, std::abs(reference[i]));
    errors.expected_norm += reference[i] * reference[i];
  }
  errors.norm = std::sqrt(errors.norm);
  errors.expected_norm = std::sqrt(errors.expected_norm);
  return errors;
}

inline std::span<const float> part(const std::vector<float>& flat, Range range,
                                   std::int64_t base = 0) {
  return std::span(flat).subspan(static_cast<std::size_t>(range.first - base),
                                 static_cast<std::size_t>(range.size()));
}

}  // namespace lockstep::gradients
