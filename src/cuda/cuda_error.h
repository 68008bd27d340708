// Errors of the CUDA runtime as Error (1).
#pragma once

#include <cuda_runtime_api.h>

#include "lockstep/core/error.h"

namespace lockstep {

inline void check(cudaError_t status, const char* operation) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // else the next check of LibTorch's reports it again
  fail_internal("{} failed: {} ({})", operation, cudaGetErrorString(status),
                cudaGetErrorName(status));
}

}  // namespace lockstep
