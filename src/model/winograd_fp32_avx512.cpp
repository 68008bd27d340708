// Winograd's convolution in fp32 for processors with AVX-512; flags in CMakeLists.txt.
#include <utility>

#include "model/avx512_isa.h"
#include "model/winograd_fp32.h"
#include "model/winograd_kernels.h"

#define LOCKSTEP_KERNELS winograd_products_fp32_avx512
#define LOCKSTEP_WINOGRAD winograd_kernels_fp32_avx512

namespace lockstep {

namespace {

struct Isa : Avx512Sums, Avx512Fp32In, Avx512Fp32Out, Fp32Tiles<Avx512Sums> {
  using Sum = Avx512Sums::Sum;

  struct Mode {
    Mode() {}
  };
};

}  // namespace

}  // namespace lockstep

#include "model/conv_kernels.inc"
#include "model/winograd_kernels.inc"
