// Small means of the gpu room: tensors on an accelerator's device, launches of kernels.
#pragma once

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <span>

#include "gpu/kernels/arguments.h"
#include "lockstep/gpu/accelerator.h"

namespace lockstep {

inline at::Device device_of(const Accelerator& accelerator) {
  if (accelerator.index() == kHostIndex) return at::kCPU;
  return {at::kCUDA, static_cast<c10::DeviceIndex>(accelerator.index())};
}

inline constexpr unsigned kBlockThreads = 256;

// Blocks of kBlockThreads for `threads` threads in all.
inline Grid grid_of(std::int64_t threads) {
  return {static_cast<unsigned>((threads + kBlockThreads - 1) / kBlockThreads), 1, kBlockThreads};
}

template <typename Arguments>
void launch(Accelerator& accelerator, const char* kernel, const Grid& grid,
            const Arguments& arguments) {
  accelerator.launch({kernel, grid, &arguments, sizeof(Arguments)});
}

inline at::Tensor device_zeros(const Accelerator& accelerator, std::int64_t count,
                               at::ScalarType type) {
  return at::zeros({count}, at::TensorOptions(type).device(device_of(accelerator)));
}

// A copy of the host's values on the device.
template <typename T>
at::Tensor to_device(const Accelerator& accelerator, std::span<const T> values,
                     at::ScalarType type) {
  const at::Tensor on_host = at::from_blob(const_cast<T*>(values.data()),
                                           {static_cast<std::int64_t>(values.size())}, type);
  return on_host.clone().to(device_of(accelerator));
}

}  // namespace lockstep
