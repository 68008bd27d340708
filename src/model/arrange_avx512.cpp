// The kernels that rearrange, for processors with AVX-512; flags in CMakeLists.txt.
#include <immintrin.h>

#include "model/conv_kernels.h"

#define LOCKSTEP_KERNELS arrange_kernels_avx512

namespace lockstep {

namespace {

constexpr std::int64_t kBlock = 16;

// A 16 x 16 block: exchanges halves of rows at distances 1, 2, 4 and 8.
void transpose_block(const std::int32_t* from, std::int64_t columns, std::int32_t* to,
                     std::int64_t rows) {
  __m512i in[kBlock];
  __m512i out[kBlock];
#pragma GCC unroll 16
  for (int i = 0; i < kBlock; ++i) in[i] = _mm512_loadu_si512(from + i * columns);
#pragma GCC unroll 8
  for (int i = 0; i < kBlock; i += 2) {
    out[i] = _mm512_unpacklo_epi32(in[i], in[i + 1]);
    out[i + 1] = _mm512_unpackhi_epi32(in[i], in[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < kBlock; i += 4) {
    in[i] = _mm512_unpacklo_epi64(out[i], out[i + 2]);
    in[i + 1] = _mm512_unpackhi_epi64(out[i], out[i + 2]);
    in[i + 2] = _mm512_unpacklo_epi64(out[i + 1], out[i + 3]);
    in[i + 3] = _mm512_unpackhi_epi64(out[i + 1], out[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    out[i] = _mm512_shuffle_i32x4(in[i], in[i + 4], 0x88);
    out[i + 4] = _mm512_shuffle_i32x4(in[i], in[i + 4], 0xDD);
    out[i + 8] = _mm512_shuffle_i32x4(in[i + 8], in[i + 12], 0x88);
    out[i + 12] = _mm512_shuffle_i32x4(in[i + 8], in[i + 12], 0xDD);
  }
#pragma GCC unroll 8
  for (int i = 0; i < kBlock / 2; ++i) {
    _mm512_storeu_si512(to + i * rows, _mm512_shuffle_i32x4(out[i], out[i + 8], 0x88));
    _mm512_storeu_si512(to + (i + 8) * rows, _mm512_shuffle_i32x4(out[i], out[i + 8], 0xDD));
  }
}

// `values` values, and zeros up to `room`; reads and writes nothing beyond them.
inline void copy_row(const float* from, std::int64_t values, std::int64_t room, float* to) {
  for (std::int64_t i = 0; i < room; i += 16) {
    const auto some = [i](std::int64_t count) {
      return count - i >= 16 ? __mmask16{0xFFFF} : static_cast<__mmask16>((1U << (count - i)) - 1);
    };
    const __m512 row = values > i ? _mm512_maskz_loadu_ps(some(values), from + i) : __m512{};
    _mm512_mask_storeu_ps(to + i, some(room), row);
  }
}

inline void copy_row(const Bf16Bits* from, std::int64_t values, std::int64_t room, Bf16Bits* to) {
  for (std::int64_t i = 0; i < room; i += 16) {
    const auto some = [i](std::int64_t count) {
      return count - i >= 16 ? __mmask16{0xFFFF} : static_cast<__mmask16>((1U << (count - i)) - 1);
    };
    const __m256i row = values > i ? _mm256_maskz_loadu_epi16(some(values), from + i) : __m256i{};
    _mm256_mask_storeu_epi16(to + i, some(room), row);
  }
}

}  // namespace

}  // namespace lockstep

#include "model/arrange_kernels.inc"
