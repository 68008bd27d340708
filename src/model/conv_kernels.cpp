#include "model/conv_kernels.h"

#include "lockstep/model/instruction_set.h"

namespace lockstep {

extern const ConvKernels<float, float> conv_kernels_fp32_avx2;
extern const ConvKernels<float, float> conv_kernels_fp32_avx512;
extern const ConvKernels<Bf16Bits, Bf16Bits> conv_kernels_paired;
extern const ConvKernels<float, Bf16Bits> conv_kernels_widened;
extern const ConvKernels<Bf16Bits, Bf16Bits> conv_kernels_tiled;
extern const ArrangeKernels arrange_kernels_baseline;
extern const ArrangeKernels arrange_kernels_avx512;

const ConvKernels<float, float>* fp32_conv_kernels() {
  if (instruction_set() >= InstructionSet::kAvx512) return &conv_kernels_fp32_avx512;
  if (instruction_set() >= InstructionSet::kAvx2) return &conv_kernels_fp32_avx2;
  return nullptr;
}

const ConvKernels<Bf16Bits, Bf16Bits>& paired_conv_kernels() { return conv_kernels_paired; }
const ConvKernels<float, Bf16Bits>& widened_conv_kernels() { return conv_kernels_widened; }

const ConvKernels<Bf16Bits, Bf16Bits>* tiled_conv_kernels() {
  return instruction_set() >= InstructionSet::kAmx ? &conv_kernels_tiled : nullptr;
}

const ArrangeKernels& arrange_kernels() {
  const bool wide = instruction_set() >= InstructionSet::kAvx512;
  return wide ? arrange_kernels_avx512 : arrange_kernels_baseline;
}

}  // namespace lockstep
