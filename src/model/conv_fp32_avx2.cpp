// The kernels of fp32 for processors with AVX2 and FMA; flags in CMakeLists.txt.
#include <utility>

#include "model/avx2_isa.h"

#define LOCKSTEP_KERNELS conv_kernels_fp32_avx2

namespace lockstep {

namespace {

struct Isa : Avx2Fp32 {};

}  // namespace

}  // namespace lockstep

#include "model/conv_kernels.inc"
