// The kernels of bf16 for processors with AVX-512 BF16 whose instruction for pairs is slower
// than two for fp32: values are made fp32 before; flags in CMakeLists.txt.
#include <utility>

#include "model/avx512_isa.h"
#include "model/flush_mode.h"

#define LOCKSTEP_KERNELS conv_kernels_widened

namespace lockstep {

namespace {

struct Isa : Avx512Sums, Avx512Fp32In, Avx512Bf16Out {
  using Mode = FlushMode;
};

}  // namespace

}  // namespace lockstep

#include "model/conv_kernels.inc"
