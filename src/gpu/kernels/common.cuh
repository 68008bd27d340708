// What the kernels share.
#pragma once

#include "gpu/kernels/arguments.h"
#include "gpu/kernels/layer_arguments.h"

// What a kernel begins with; the tests define it for the host's compiler.
#ifndef LOCKSTEP_KERNEL
#define LOCKSTEP_KERNEL extern "C" __global__ void
#endif

namespace lockstep::gpu {

__device__ inline float widen(unsigned short bits) {
  return __uint_as_float(static_cast<unsigned>(bits) << 16);
}

// Rounded to nearest even, as on the CPU.
__device__ inline unsigned short narrow(float value) {
  const unsigned bits = __float_as_uint(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return 0x7FC0U;
  return static_cast<unsigned short>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

#if LOCKSTEP_BF16
typedef unsigned short Value;
__device__ inline float load(const void* values, long long at) {
  return widen(static_cast<const unsigned short*>(values)[at]);
}
__device__ inline void store(void* values, long long at, float value) {
  static_cast<unsigned short*>(values)[at] = narrow(value);
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

__device__ inline float relu_if(int on, float value) { return on != 0 && value < 0 ? 0.0F : value; }

__device__ inline long long thread_number() {
  return static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
}

// Word `word` of the Philox4x32-10 block at `counter`; see core/philox.h.
__device__ inline unsigned philox_word(const unsigned* key, unsigned c0, unsigned c1, unsigned c2,
                                       unsigned c3, int word) {
  unsigned key0 = key[0];
  unsigned key1 = key[1];
  for (int round = 0; round < 10; ++round) {
    const unsigned long long product0 = 0xD2511F53ULL * c0;
    const unsigned long long product1 = 0xCD9E8D57ULL * c2;
    c0 = static_cast<unsigned>(product1 >> 32) ^ c1 ^ key0;
    c1 = static_cast<unsigned>(product1);
    c2 = static_cast<unsigned>(product0 >> 32) ^ c3 ^ key1;
    c3 = static_cast<unsigned>(product0);
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  return word == 0 ? c0 : word == 1 ? c1 : word == 2 ? c2 : c3;
}

// Whether element `at` of a lane's activations is dropped: the bytes of
// Kernels::random_bytes (model/kernels.h), so the masks are the CPU's.
__device__ inline bool is_dropped(const Dropout& dropout, long long at) {
  if (dropout.key == nullptr) return false;
  const unsigned long long number = dropout.samples[at / dropout.elements].number;
  const unsigned e = static_cast<unsigned>(at % dropout.elements);
  const unsigned word =
      philox_word(dropout.key, e / 256 * 16 + e % 64 / 4, static_cast<unsigned>(number),
                  static_cast<unsigned>(number >> 32), 0, static_cast<int>(e / 64 % 4));
  return static_cast<int>(word >> (8 * (e % 4)) & 255U) < dropout.below;
}

constexpr int kThreads = 256;  // of a block, in every kernel

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
