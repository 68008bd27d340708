// The kernels of bf16 for processors with AVX-512 BF16 whose instruction for pairs is slower
// than two for fp32: values are made fp32 before; flags in CMakeLists.txt.
#include <immintrin.h>

#include <utility>

#include "model/conv_kernels.h"
#include "model/flush_mode.h"

#define LOCKSTEP_KERNELS conv_kernels_widened

namespace lockstep {

namespace {

struct Isa {
  using In = float;
  using Out = Bf16Bits;
  using Sum = __m512;
  using Factor = __m512;
  static constexpr int kLanes = 16;
  static constexpr int kUnit = 1;
  static constexpr int kMostOutputs[3] = {14, 14, 9};

  using Mode = FlushMode;

  static Factor load(const float* from) { return _mm512_loadu_ps(from); }
  static Factor broadcast(const float* from) { return _mm512_set1_ps(*from); }
  static Sum multiply_add(Factor a, Factor b, Sum sum) { return _mm512_fmadd_ps(a, b, sum); }
  static Sum zero() { return _mm512_setzero_ps(); }
  static Sum add(const float* sums, Sum sum) { return _mm512_add_ps(_mm512_loadu_ps(sums), sum); }
  static void store_sums(float* to, Sum sum) { _mm512_storeu_ps(to, sum); }
  static Sum widen(const Bf16Bits* from) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
  static Sum widen_one(const Bf16Bits* from) {
    return _mm512_castsi512_ps(_mm512_set1_epi32(*from << 16));
  }
  static void store(Bf16Bits* to, Sum sum) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(sum));
  }
};

}  // namespace

}  // namespace lockstep

#include "model/conv_kernels.inc"
