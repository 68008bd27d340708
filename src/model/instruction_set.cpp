#include "lockstep/model/instruction_set.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

InstructionSet of_processor() {
  if (!__builtin_cpu_supports("x86-64-v3")) return InstructionSet::kBaseline;
  if (!__builtin_cpu_supports("x86-64-v4")) return InstructionSet::kAvx2;
  return __builtin_cpu_supports("avx512bf16") ? InstructionSet::kAvx512Bf16
                                              : InstructionSet::kAvx512;
}

InstructionSet limit() {
  const char* value = std::getenv("LOCKSTEP_MAX_ISA");
  const std::string_view name = value == nullptr ? "AVX512_BF16" : value;
  if (name == "AVX2") return InstructionSet::kAvx2;
  if (name == "AVX512") return InstructionSet::kAvx512;
  if (name == "AVX512_BF16") return InstructionSet::kAvx512Bf16;
  fail_usage("LOCKSTEP_MAX_ISA is \"{}\": expected AVX2, AVX512 or AVX512_BF16", name);
}

}  // namespace

InstructionSet instruction_set() {
  static const InstructionSet chosen = std::min(of_processor(), limit());
  return chosen;
}

}  // namespace lockstep
