#include "model/kernels.h"

namespace lockstep {

extern const Kernels kernels_baseline;
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;

namespace {

const Kernels& choose() {
  if (__builtin_cpu_supports("x86-64-v4")) return kernels_avx512;
  if (__builtin_cpu_supports("x86-64-v3")) return kernels_avx2;
  return kernels_baseline;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace lockstep
