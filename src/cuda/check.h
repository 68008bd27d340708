// Failures of the CUDA runtime as Errors.
#pragma once

#include <cuda_runtime_api.h>

#include "lockstep/core/error.h"

namespace lockstep {

inline void check_cuda(cudaError_t status, const char* operation) {
  if (status == cudaSuccess) return;
  fail_internal("{} failed: {}", operation, cudaGetErrorString(status));
}

}  // namespace lockstep
