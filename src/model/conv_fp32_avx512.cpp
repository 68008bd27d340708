// The kernels of fp32 for processors with AVX-512; flags in CMakeLists.txt.
#include <utility>

#include "model/avx512_isa.h"

#define LOCKSTEP_KERNELS conv_kernels_fp32_avx512

namespace lockstep {

namespace {

struct Isa : Avx512Sums, Avx512Fp32In, Avx512Fp32Out {
  struct Mode {
    Mode() {}
  };
};

}  // namespace

}  // namespace lockstep

#include "model/conv_kernels.inc"
