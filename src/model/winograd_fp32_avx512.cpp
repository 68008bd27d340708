// Winograd's convolution in fp32 for processors with AVX-512; flags in CMakeLists.txt.
#include <utility>

#include "model/avx512_isa.h"
#include "model/winograd_kernels.h"

#define LOCKSTEP_KERNELS winograd_products_fp32_avx512
#define LOCKSTEP_WINOGRAD winograd_kernels_fp32_avx512

namespace lockstep {

namespace {

struct Isa : Avx512Sums, Avx512Fp32In, Avx512Fp32Out {
  using Value = float;

  struct Mode {
    Mode() {}
  };

  static Sum load_values(const float* from) { return load_sums(from); }
  static void store_values(float* to, Sum sum) { store_sums(to, sum); }
  static void store_factors(float* to, Sum sum) { store_sums(to, sum); }
  static void store_two(float* to, std::int64_t channel, std::int64_t channels, Sum first,
                        Sum second) {
    store_sums(to + channel, first);
    store_sums(to + channels + channel, second);
  }
};

}  // namespace

}  // namespace lockstep

#include "model/conv_kernels.inc"
#include "model/winograd_kernels.inc"
