#include "lockstep/gpu/plugin.h"

#include <cuda_runtime_api.h>

#include "cuda/cuda_accelerator.h"
#include "cuda/cuda_error.h"

namespace lockstep {

namespace {

std::string version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

// Empty where there is none.
std::string fault_of_driver() {
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    cudaGetLastError();
    return "no NVIDIA driver (libcuda.so.1) on this host";
  }
  if (driver / 1000 < CUDART_VERSION / 1000) {
    return fmt::format("the NVIDIA driver of this host is for CUDA {}; expected {} or newer",
                       version_text(driver), version_text(CUDART_VERSION / 1000 * 1000));
  }
  return "";
}

int count(std::string& reason) {
  reason = fault_of_driver();
  if (!reason.empty()) return 0;
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0)) {
    reason = "the NVIDIA driver shows this process no GPU";
    count = 0;
  } else if (status != cudaSuccess) {
    reason = fmt::format("the NVIDIA driver does not answer: {}", cudaGetErrorString(status));
    count = 0;
  }
  cudaGetLastError();
  return count;
}

std::string identity(int index) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  std::string text = "GPU-";
  for (const char byte : properties.uuid.bytes) {
    text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  }
  return text;
}

Accelerator* open(int index) { return std::make_unique<CudaAccelerator>(index).release(); }

}  // namespace

}  // namespace lockstep

extern "C" __attribute__((visibility("default"))) const lockstep::GpuPlugin lockstep_gpu_plugin = {
    lockstep::count, lockstep::identity, lockstep::open};
