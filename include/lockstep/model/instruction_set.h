// Which instructions this program's own kernels are made of. Local; any thread.
#pragma once

namespace lockstep {

enum class InstructionSet {
  kBaseline,    // x86-64
  kAvx2,        // x86-64-v3, with FMA
  kAvx512,      // x86-64-v4
  kAvx512Bf16,  // and products of bf16 pairs
  kAmx,         // and products of tiles of them, whose sums have another order
};

// The most that this processor has, or what LOCKSTEP_MAX_ISA names where that is less. From kAvx2
// on kernels of fp32 have the same bits with each. Error (2): the variable names none.
InstructionSet instruction_set();

}  // namespace lockstep
