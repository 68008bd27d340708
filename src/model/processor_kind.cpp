#include "lockstep/model/processor_kind.h"

#include <ATen/Version.h>

#include <cstdlib>
#include <string_view>

#include "lockstep/model/instruction_set.h"

namespace lockstep {

namespace {

bool keeps_onednn_to_avx2() {
  const char* most = std::getenv("ONEDNN_MAX_CPU_ISA");
  return most != nullptr && std::string_view(most) == "AVX2";
}

}  // namespace

std::string processor_kind() {
  const InstructionSet own = instruction_set();
  std::string kind = own >= InstructionSet::kAvx512 ? "x86-64-v4"
                     : own >= InstructionSet::kAvx2 ? "x86-64-v3"
                                                    : "x86-64";
  if (own >= InstructionSet::kAvx512Bf16) kind += " avx512bf16";
  if (own >= InstructionSet::kAmx) kind += " amx";
  if (!keeps_onednn_to_avx2()) {  // what it looks for besides; the compiler wants literals
    if (__builtin_cpu_supports("avx512vnni")) kind += " avx512vnni";
    if (__builtin_cpu_supports("avxvnni")) kind += " avxvnni";
    if (__builtin_cpu_supports("avx512fp16")) kind += " avx512fp16";
    if (__builtin_cpu_supports("amx-bf16")) kind += " amx-bf16";
  }
  kind += ", ATen " + at::get_cpu_capability();
  for (const char* variable : {"ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"}) {
    const char* limit = std::getenv(variable);
    if (limit != nullptr) kind += std::string(", ") + variable + "=" + limit;
  }
  return kind;
}

}  // namespace lockstep
