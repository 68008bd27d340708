#include "lockstep/model/instruction_set.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

// Linux wants a process to ask before it uses tiles (arch_prctl, ARCH_REQ_XCOMP_PERM, of the
// state XTILEDATA); all of its threads may then.
bool may_use_tiles() {
  constexpr long kRequestState = 0x1023;
  constexpr long kTileData = 18;
  return ::syscall(SYS_arch_prctl, kRequestState, kTileData) == 0;
}

bool has_tiles() {
  return __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16") &&
         may_use_tiles();
}

InstructionSet of_processor() {
  if (!__builtin_cpu_supports("x86-64-v3")) return InstructionSet::kBaseline;
  if (!__builtin_cpu_supports("x86-64-v4")) return InstructionSet::kAvx2;
  if (!__builtin_cpu_supports("avx512bf16")) return InstructionSet::kAvx512;
  return has_tiles() ? InstructionSet::kAmx : InstructionSet::kAvx512Bf16;
}

InstructionSet limit() {
  const char* value = std::getenv("LOCKSTEP_MAX_ISA");
  const std::string_view name = value == nullptr ? "AMX" : value;
  if (name == "AVX2") return InstructionSet::kAvx2;
  if (name == "AVX512") return InstructionSet::kAvx512;
  if (name == "AVX512_BF16") return InstructionSet::kAvx512Bf16;
  if (name == "AMX") return InstructionSet::kAmx;
  fail_usage("LOCKSTEP_MAX_ISA is \"{}\": expected AVX2, AVX512, AVX512_BF16 or AMX", name);
}

}  // namespace

InstructionSet instruction_set() {
  static const InstructionSet chosen = std::min(of_processor(), limit());
  return chosen;
}

}  // namespace lockstep
