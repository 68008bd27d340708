// The kernels of bf16 for processors with AVX-512 BF16, whose instruction adds the products
// of 16 pairs of values to 16 fp32 sums; flags in CMakeLists.txt.
#include <utility>

#include "model/avx512_isa.h"
#include "model/flush_mode.h"

#define LOCKSTEP_KERNELS conv_kernels_paired

namespace lockstep {

namespace {

struct Isa : Avx512Sums, Avx512Bf16Out {
  using In = Bf16Bits;
  using Factor = __m512bh;
  static constexpr int kUnit = 2;

  using Mode = FlushMode;

  static Factor load(const Bf16Bits* from) { return (__m512bh)_mm512_loadu_si512(from); }
  static Factor broadcast(const Bf16Bits* from) {
    std::int32_t pair;
    __builtin_memcpy(&pair, from, sizeof(pair));
    return (__m512bh)_mm512_set1_epi32(pair);
  }
  static Sum multiply_add(Factor a, Factor b, Sum sum) { return _mm512_dpbf16_ps(sum, a, b); }
};

}  // namespace

}  // namespace lockstep

#include "model/conv_kernels.inc"
