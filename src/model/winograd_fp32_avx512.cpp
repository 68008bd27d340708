// Winograd's convolution in fp32 for processors with AVX-512; flags in CMakeLists.txt.
#include "model/avx512_isa.h"
#include "model/winograd_fp32.h"
#include "model/winograd_kernels.h"

#define LOCKSTEP_KERNELS conv_kernels_fp32_avx512
#define LOCKSTEP_WINOGRAD winograd_kernels_fp32_avx512

namespace lockstep {

extern const ConvKernels<float, float> conv_kernels_fp32_avx512;

namespace {

struct Isa : Avx512Sums, Avx512Fp32In, Fp32Tiles<Avx512Sums> {
  using Sum = Avx512Sums::Sum;
};

}  // namespace

}  // namespace lockstep

#include "model/winograd_4x4.inc"
#include "model/winograd_kernels.inc"
