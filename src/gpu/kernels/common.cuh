// What the kernels share.
#pragma once

#include "gpu/kernels/arguments.h"
#include "gpu/kernels/layer_arguments.h"

// What a kernel begins with; the tests define it for the host's compiler.
#ifndef LOCKSTEP_KERNEL
#define LOCKSTEP_KERNEL extern "C" __global__ void
#endif

namespace lockstep::gpu {

using formula::at_most;
using formula::relu_if;

#if LOCKSTEP_BF16
typedef unsigned short Value;
__device__ inline float load(const void* values, long long at) {
  return formula::from_bf16(static_cast<const unsigned short*>(values)[at]);
}
__device__ inline void store(void* values, long long at, float value) {
  static_cast<unsigned short*>(values)[at] = formula::to_bf16(value);
}
#else
typedef float Value;
__device__ inline float load(const void* values, long long at) {
  return static_cast<const float*>(values)[at];
}
__device__ inline void store(void* values, long long at, float value) {
  static_cast<float*>(values)[at] = value;
}
#endif

__device__ inline long long thread_number() {
  return static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
}

// Whether element `at` of a lane's activations is dropped: the bytes of
// Kernels::random_bytes (model/kernels.h), so the masks are the CPU's.
__device__ inline bool is_dropped(const Dropout& dropout, long long at) {
  if (dropout.key == nullptr) return false;
  const unsigned long long number = dropout.samples[at / dropout.elements].number;
  const unsigned e = static_cast<unsigned>(at % dropout.elements);
  unsigned word0 = e / 256 * 16 + e % 64 / 4;
  unsigned word1 = static_cast<unsigned>(number);
  unsigned word2 = static_cast<unsigned>(number >> 32);
  unsigned word3 = 0;
  formula::philox(dropout.key[0], dropout.key[1], word0, word1, word2, word3);
  const unsigned place = e / 64 % 4;
  const unsigned word = place == 0 ? word0 : place == 1 ? word1 : place == 2 ? word2 : word3;
  return static_cast<int>(word >> (8 * (e % 4)) & 255U) < dropout.below;
}

// The sum of `value` over the block's threads, in one fixed order, for thread 0.
__device__ inline double sum_of_block(double value) {
  __shared__ double sums[kThreads];
  sums[threadIdx.x] = value;
  __syncthreads();
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    __syncthreads();
  }
  return sums[0];
}

}  // namespace lockstep::gpu
