// Values in the memory of the accelerator under test.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>

#include <vector>

#include "gpu/device.h"

namespace lockstep {

inline at::Tensor on_device(const Accelerator& accelerator, const std::vector<float>& values) {
  return to_device<float>(accelerator, values, at::kFloat);
}

inline std::vector<float> on_host(const at::Tensor& tensor) {
  const at::Tensor copy = tensor.to(at::kCPU, at::kFloat).contiguous();
  const auto* first = copy.const_data_ptr<float>();
  return {first, first + copy.numel()};
}

inline std::span<float> floats(const at::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

// The same memory as a tensor.
inline at::Tensor view_of(const Accelerator& accelerator, std::span<const float> values) {
  return at::from_blob(const_cast<float*>(values.data()),
                       {static_cast<std::int64_t>(values.size())},
                       at::TensorOptions(at::kFloat).device(device_of(accelerator)));
}

}  // namespace lockstep
