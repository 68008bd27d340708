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

  static Sum load_values(const Bf16Bits* from) { return Avx512Bf16Out::widen(from); }
  static void store_values(Bf16Bits* to, Sum sum) { Avx512Bf16Out::store(to, sum); }
  static void store_factors(Bf16Bits* to, Sum sum) { Avx512Bf16Out::store(to, sum); }
  static void store_two(Bf16Bits* to, std::int64_t channel, std::int64_t, Sum first, Sum second) {
    const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(first));
    const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(second));
    _mm512_storeu_si512(to + 2 * channel, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
  }
};

}  // namespace

}  // namespace lockstep

#include "model/conv_kernels.inc"
#include "model/winograd_kernels.inc"
