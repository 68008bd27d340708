// The kernels of fp32 for processors with AVX-512; flags in CMakeLists.txt.
#include <immintrin.h>

#include <utility>

#include "model/conv_kernels.h"

#define LOCKSTEP_KERNELS conv_kernels_fp32_avx512

namespace lockstep {

namespace {

struct Isa {
  using In = float;
  using Out = float;
  using Sum = __m512;
  using Factor = __m512;
  static constexpr int kLanes = 16;
  static constexpr int kUnit = 1;
  static constexpr int kMostOutputs[3] = {14, 14, 9};

  struct Mode {
    Mode() {}
  };

  static Factor load(const float* from) { return _mm512_loadu_ps(from); }
  static Factor broadcast(const float* from) { return _mm512_set1_ps(*from); }
  static Sum multiply_add(Factor a, Factor b, Sum sum) { return _mm512_fmadd_ps(a, b, sum); }
  static Sum zero() { return _mm512_setzero_ps(); }
  static Sum add(const float* sums, Sum sum) { return _mm512_add_ps(_mm512_loadu_ps(sums), sum); }
  static void store_sums(float* to, Sum sum) { _mm512_storeu_ps(to, sum); }
  static Sum widen(const float* from) { return _mm512_loadu_ps(from); }
  static Sum widen_one(const float* from) { return _mm512_set1_ps(*from); }
  static void store(float* to, Sum sum) { _mm512_storeu_ps(to, sum); }
};

}  // namespace

}  // namespace lockstep

#include "model/conv_kernels.inc"
