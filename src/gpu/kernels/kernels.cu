// All kernels, for activations of one precision: LOCKSTEP_BF16 is 0 or 1. Compiled by
// NVRTC when a GPU is taken, and by the host's compiler for the tests.

#include "gpu/kernels/gate.cuh"
#include "gpu/kernels/norm.cuh"
#include "gpu/kernels/step.cuh"
#include "gpu/kernels/table.h"
#include "gpu/kernels/update.cuh"

namespace lockstep::gpu {

template <typename Kernel, typename Wanted>
constexpr bool kIsAsWanted = false;
template <typename Kernel>
constexpr bool kIsAsWanted<Kernel, Kernel> = true;

#define LOCKSTEP_CHECK(constant, kernel, Arguments, barriers)         \
  static_assert(kIsAsWanted<decltype(kernel), void(const Arguments)>, \
                #kernel " does not take what gpu/kernels/table.h says");
LOCKSTEP_KERNEL_TABLE(LOCKSTEP_CHECK)
#undef LOCKSTEP_CHECK

}  // namespace lockstep::gpu
