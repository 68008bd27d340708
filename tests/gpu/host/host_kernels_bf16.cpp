// The kernels for activations in bf16.
#define LOCKSTEP_BF16 1
#define gpu gpu_bf16
#include "gpu/host/host_kernels.inc"

namespace lockstep {

const std::map<std::string, HostKernel>& host_kernels_bf16() { return gpu::table(); }

}  // namespace lockstep
