// The kernels of fp32 for processors with AVX-512; flags in CMakeLists.txt.
#include <utility>

#include "model/avx512_isa.h"

#define LOCKSTEP_KERNELS conv_kernels_fp32_avx512

namespace lockstep {

namespace {

struct Isa : Avx512Sums, Avx512Fp32In {
  using Out = float;

  struct Mode {
    Mode() {}
  };

  static Sum widen(const float* from) { return _mm512_loadu_ps(from); }
  static Sum widen_one(const float* from) { return _mm512_set1_ps(*from); }
  static void store(float* to, Sum sum) { _mm512_storeu_ps(to, sum); }
};

}  // namespace

}  // namespace lockstep

#include "model/conv_kernels.inc"
