#include "model/kernels.h"

#include "lockstep/model/instruction_set.h"

namespace lockstep {

extern const Kernels kernels_baseline;
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
void use_bf16_instructions(TypedKernels<Bf16>& table);

namespace {

Kernels choose() {
  if (instruction_set() < InstructionSet::kAvx2) return kernels_baseline;
  if (instruction_set() < InstructionSet::kAvx512) return kernels_avx2;
  Kernels chosen = kernels_avx512;
  if (instruction_set() >= InstructionSet::kAvx512Bf16) use_bf16_instructions(chosen.bf16);
  return chosen;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels chosen = choose();
  return chosen;
}

}  // namespace lockstep
