// The kernels for activations in fp32.
#define LOCKSTEP_BF16 0
#define gpu gpu_fp32
#include "gpu/host/host_kernels.inc"

namespace lockstep {

const std::map<std::string, HostKernel>& host_kernels_fp32() { return gpu::table(); }

}  // namespace lockstep
