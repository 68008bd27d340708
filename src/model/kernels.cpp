#include "model/kernels.h"

#include "lockstep/model/instruction_set.h"

namespace lockstep {

extern const Kernels kernels_baseline;
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;

namespace {

const Kernels& choose() {
  if (instruction_set() >= InstructionSet::kAvx512) return kernels_avx512;
  if (instruction_set() >= InstructionSet::kAvx2) return kernels_avx2;
  return kernels_baseline;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace lockstep
