// What the program that loads this library finds; see gpu/plugin.h.

#include "lockstep/gpu/plugin.h"

#include "cuda/check.h"
#include "cuda/cuda_accelerator.h"

namespace lockstep {

namespace {

int count_gpus(std::string& reason) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0) return count;
  reason = status == cudaSuccess ? "there is no GPU" : cudaGetErrorString(status);
  return 0;
}

std::string identity_of(int index) {
  char bus[32] = "";
  check_cuda(cudaDeviceGetPCIBusId(bus, sizeof(bus), index), "cudaDeviceGetPCIBusId");
  cudaDeviceProp properties{};
  check_cuda(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  std::string identity = fmt::format("{} at {}, GPU-", properties.name, bus);
  for (const char byte : properties.uuid.bytes) {
    identity += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  }
  return identity;
}

}  // namespace

}  // namespace lockstep

extern "C" {
__attribute__((visibility("default"))) extern const lockstep::GpuPlugin lockstep_gpu_plugin;
const lockstep::GpuPlugin lockstep_gpu_plugin = {
    .count = lockstep::count_gpus,
    .identity = lockstep::identity_of,
    .open = [](int index) { return lockstep::open_cuda_accelerator(index).release(); },
};
}
