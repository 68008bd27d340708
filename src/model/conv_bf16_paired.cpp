// The kernels of bf16 for processors with AVX-512 BF16, whose instruction adds the products
// of 16 pairs of values to 16 fp32 sums; flags in CMakeLists.txt.
#include <utility>

#include "model/avx512_isa.h"
#include "model/flush_mode.h"

#define LOCKSTEP_KERNELS conv_kernels_paired

namespace lockstep {

namespace {

struct Isa : Avx512Sums, Avx512Bf16In, Avx512Bf16Out {
  using Mode = FlushMode;
};

}  // namespace

}  // namespace lockstep

#include "model/conv_kernels.inc"
