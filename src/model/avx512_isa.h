// What is the same for several Isa (conv_kernels.inc) with registers of 512 bits. In an unnamed
// namespace: code for one instruction set must not be linked into another's place.
#pragma once

#include <immintrin.h>

#include "model/conv_kernels.h"

namespace lockstep {

namespace {

struct Avx512Sums {
  using Sum = __m512;
  static constexpr int kLanes = 16;
  static constexpr int kMostOutputs[3] = {14, 14, 9};

  static Sum zero() { return _mm512_setzero_ps(); }
  static Sum add(const float* sums, Sum sum) { return _mm512_add_ps(_mm512_loadu_ps(sums), sum); }
  static Sum load_sums(const float* from) { return _mm512_loadu_ps(from); }
  static void store_sums(float* to, Sum sum) { _mm512_storeu_ps(to, sum); }
};

// Factors of fp32.
struct Avx512Fp32In {
  using In = float;
  using Factor = __m512;
  static constexpr int kUnit = 1;

  static Factor load(const float* from) { return _mm512_loadu_ps(from); }
  static Factor broadcast(const float* from) { return _mm512_set1_ps(*from); }
  static __m512 multiply_add(Factor a, Factor b, __m512 sum) { return _mm512_fmadd_ps(a, b, sum); }
};

// Sums, stored as they are.
struct Avx512Fp32Out {
  using Out = float;

  static __m512 widen(const float* from) { return _mm512_loadu_ps(from); }
  static __m512 widen_one(const float* from) { return _mm512_set1_ps(*from); }
  static void store(float* to, __m512 sum) { _mm512_storeu_ps(to, sum); }
};

#ifdef __AVX512BF16__

// Pairs of bf16.
struct Avx512Bf16In {
  using In = Bf16Bits;
  using Factor = __m512bh;
  static constexpr int kUnit = 2;

  static Factor load(const Bf16Bits* from) { return (__m512bh)_mm512_loadu_si512(from); }
  static Factor broadcast(const Bf16Bits* from) {
    std::int32_t pair;
    __builtin_memcpy(&pair, from, sizeof(pair));
    return (__m512bh)_mm512_set1_epi32(pair);
  }
  static __m512 multiply_add(Factor a, Factor b, __m512 sum) { return _mm512_dpbf16_ps(sum, a, b); }
};

// Values of bf16, to sums and back.
struct Avx512Bf16Out {
  using Out = Bf16Bits;

  static __m512 widen(const Bf16Bits* from) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
  static __m512 widen_one(const Bf16Bits* from) {
    return _mm512_castsi512_ps(_mm512_set1_epi32(*from << 16));
  }
  static void store(Bf16Bits* to, __m512 sum) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(sum));
  }
};

#endif

}  // namespace

}  // namespace lockstep
