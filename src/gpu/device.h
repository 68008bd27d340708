// Small means of the gpu room: tensors on an accelerator's device, launches of kernels.
#pragma once

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <span>

#include "gpu/kernels/table.h"
#include "lockstep/gpu/accelerator.h"

namespace lockstep {

inline at::Device device_of(const Accelerator& accelerator) {
  if (accelerator.index() == kHostIndex) return at::kCPU;
  return {at::kCUDA, static_cast<c10::DeviceIndex>(accelerator.index())};
}

inline constexpr unsigned kBlockThreads = gpu::kThreads;

// Blocks of kBlockThreads for `threads` threads in all.
inline Grid grid_of(std::int64_t threads) {
  return {static_cast<unsigned>((threads + kBlockThreads - 1) / kBlockThreads), 1, kBlockThreads};
}

// A function of src/gpu/kernels.
template <typename Arguments>
struct Kernel {
  const char* name;
};

namespace gpu {

#define LOCKSTEP_CONSTANT(constant, kernel, Arguments, barriers) \
  inline constexpr Kernel<Arguments> constant{#kernel};
LOCKSTEP_KERNEL_TABLE(LOCKSTEP_CONSTANT)
#undef LOCKSTEP_CONSTANT

}  // namespace gpu

template <typename Arguments>
void launch(Accelerator& accelerator, const Kernel<Arguments>& kernel, const Grid& grid,
            const Arguments& arguments) {
  accelerator.launch({kernel.name, grid, &arguments});
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
