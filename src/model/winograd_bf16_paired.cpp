// Winograd's convolution in bf16 for processors with AVX-512 BF16; flags in CMakeLists.txt.
#include <utility>

#include "model/avx512_isa.h"
#include "model/flush_mode.h"
#include "model/winograd_kernels.h"

#define LOCKSTEP_KERNELS winograd_products_paired
#define LOCKSTEP_WINOGRAD winograd_kernels_paired

namespace lockstep {

namespace {

struct Isa : Avx512Sums, Avx512Bf16In, Avx512Fp32Out {
  using Value = Bf16Bits;
  using Mode = FlushMode;

  // 32 sums. A core adds and multiplies in units of their own: those of the second register are
  // products with 1 and sums, which are the same bits.
  struct Some {
    Sum first, second;
    friend Some operator+(Some a, Some b) {
      return {a.first + b.first, _mm512_fmadd_ps(a.second, _mm512_set1_ps(1), b.second)};
    }
    friend Some operator-(Some a, Some b) {
      return {a.first - b.first, _mm512_fmsub_ps(a.second, _mm512_set1_ps(1), b.second)};
    }
  };
  static constexpr int kSomeLanes = 2 * kLanes;

  static Sum load_values(const Bf16Bits* from) { return Avx512Bf16Out::widen(from); }
  static Sum load_some(const Bf16Bits* from, Sum) { return load_values(from); }
  // Values with even places, and those with odd ones.
  static Some load_some(const Bf16Bits* from, Some) {
    const __m512i pairs = _mm512_loadu_si512(from);
    const __m512i odd = _mm512_and_si512(pairs, _mm512_set1_epi32(~0xFFFF));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)), _mm512_castsi512_ps(odd)};
  }
  static Sum load_in_order(const Bf16Bits* from, Sum) { return load_values(from); }
  static Some load_in_order(const Bf16Bits* from, Some) {
    return {load_values(from), load_values(from + kLanes)};
  }
  static Sum load_some_sums(const float* from, Sum) { return load_sums(from); }
  static Some load_some_sums(const float* from, Some) {
    return {load_sums(from), load_sums(from + kLanes)};
  }
  static void store_values(Bf16Bits* to, Sum sum) { Avx512Bf16Out::store(to, sum); }
  static void store_values(Bf16Bits* to, Some sums) {
    _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(sums.second, sums.first));
  }
  static void store_factors(Bf16Bits* to, Sum sum) { Avx512Bf16Out::store(to, sum); }
  static void store_factors(Bf16Bits* to, Some sums) { store_in_turn(to, sums.first, sums.second); }
  static void store_two(Bf16Bits* to, std::int64_t channel, std::int64_t, Sum first, Sum second) {
    store_in_turn(to + 2 * channel, first, second);
  }
  // The first value of each, then the second of each, ...
  static void store_in_turn(Bf16Bits* to, Sum first, Sum second) {
    const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(second, first);
    _mm512_storeu_si512(to, _mm512_permutexvar_epi16(in_turn(), both));
  }
  // Of 32 values the first and the 17th, the second and the 18th, ...
  static __m512i in_turn() {
    const __m512i counted = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    return _mm512_or_si512(counted,
                           _mm512_slli_epi32(_mm512_add_epi32(counted, _mm512_set1_epi32(16)), 16));
  }
};

}  // namespace

}  // namespace lockstep

#include "model/conv_kernels.inc"
#include "model/winograd_2x2.inc"
#include "model/winograd_kernels.inc"
