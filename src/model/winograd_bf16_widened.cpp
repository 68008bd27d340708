// Winograd's convolution of bf16 for processors with AVX-512 BF16 whose instruction for pairs is
// slower than two for fp32: factors are rounded to bf16 and multiplied as fp32, the second of
// each two first; flags in CMakeLists.txt.
#include <utility>

#include "model/avx512_isa.h"
#include "model/flush_mode.h"
#include "model/winograd_kernels.h"

#define LOCKSTEP_KERNELS winograd_products_widened
#define LOCKSTEP_WINOGRAD winograd_kernels_widened

namespace lockstep {

namespace {

struct Isa : Avx512Sums, Avx512Fp32In, Avx512Fp32Out {
  using Value = Bf16Bits;
  using Mode = FlushMode;

  static Sum rounded(Sum sum) {
    const __m512i bits = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(sum));
    return _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16));
  }
  using Some = Sum;
  static constexpr int kSomeLanes = kLanes;

  static Sum load_values(const Bf16Bits* from) { return Avx512Bf16Out::widen(from); }
  static Sum load_some(const Bf16Bits* from, Sum) { return load_values(from); }
  static Sum load_in_order(const Bf16Bits* from, Sum) { return load_values(from); }
  static Sum load_some_sums(const float* from, Sum) { return load_sums(from); }
  static void store_values(Bf16Bits* to, Sum sum) { Avx512Bf16Out::store(to, sum); }
  static void store_factors(float* to, Sum sum) {
    constexpr int kNeighboursInTurn = 0xB1;
    store_sums(to, _mm512_permute_ps(rounded(sum), kNeighboursInTurn));
  }
  static void store_two(float* to, std::int64_t channel, std::int64_t channels, Sum first,
                        Sum second) {
    store_sums(to + channel, rounded(second));
    store_sums(to + channels + channel, rounded(first));
  }
};

}  // namespace

}  // namespace lockstep

#include "model/conv_kernels.inc"
#include "model/winograd_2x2.inc"
#include "model/winograd_kernels.inc"
