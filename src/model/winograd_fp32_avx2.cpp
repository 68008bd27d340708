// Winograd's convolution in fp32 for processors with AVX2 and FMA; flags in CMakeLists.txt.
#include "model/avx2_isa.h"
#include "model/winograd_fp32.h"
#include "model/winograd_kernels.h"

#define LOCKSTEP_KERNELS conv_kernels_fp32_avx2
#define LOCKSTEP_WINOGRAD winograd_kernels_fp32_avx2

namespace lockstep {

extern const ConvKernels<float, float> conv_kernels_fp32_avx2;

namespace {

struct Isa : Avx2Fp32, Fp32Tiles<Avx2Fp32> {
  using Sum = Avx2Fp32::Sum;
};

}  // namespace

}  // namespace lockstep

#include "model/winograd_4x4.inc"
#include "model/winograd_kernels.inc"
