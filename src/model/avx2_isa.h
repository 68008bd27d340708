// What is the same for several Isa (conv_kernels.inc) with registers of 256 bits. In an unnamed
// namespace: code for one instruction set must not be linked into another's place.
#pragma once

#include <immintrin.h>

#include "model/conv_kernels.h"

namespace lockstep {

namespace {

struct Avx2Fp32 {
  using In = float;
  using Out = float;
  using Sum = __m256;
  using Factor = __m256;
  static constexpr int kLanes = 8;
  static constexpr int kUnit = 1;
  static constexpr int kMostOutputs[3] = {6, 0, 0};

  struct Mode {
    Mode() {}
  };

  static Factor load(const float* from) { return _mm256_loadu_ps(from); }
  static Factor broadcast(const float* from) { return _mm256_broadcast_ss(from); }
  static Sum multiply_add(Factor a, Factor b, Sum sum) { return _mm256_fmadd_ps(a, b, sum); }
  static Sum zero() { return _mm256_setzero_ps(); }
  static Sum add(const float* sums, Sum sum) { return _mm256_add_ps(_mm256_loadu_ps(sums), sum); }
  static Sum load_sums(const float* from) { return _mm256_loadu_ps(from); }
  static void store_sums(float* to, Sum sum) { _mm256_storeu_ps(to, sum); }
  static Sum widen(const float* from) { return _mm256_loadu_ps(from); }
  static Sum widen_one(const float* from) { return _mm256_set1_ps(*from); }
  static void store(float* to, Sum sum) { _mm256_storeu_ps(to, sum); }
};

}  // namespace

}  // namespace lockstep
