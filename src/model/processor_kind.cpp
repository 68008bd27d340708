#include "lockstep/model/processor_kind.h"

#include <ATen/Version.h>

#include <cstdlib>

namespace lockstep {

std::string processor_kind() {
  std::string kind = __builtin_cpu_supports("x86-64-v4")   ? "x86-64-v4"
                     : __builtin_cpu_supports("x86-64-v3") ? "x86-64-v3"
                                                           : "x86-64";
  // The compiler wants literals.
  if (__builtin_cpu_supports("avx512vnni")) kind += " avx512vnni";
  if (__builtin_cpu_supports("avxvnni")) kind += " avxvnni";
  if (__builtin_cpu_supports("avx512bf16")) kind += " avx512bf16";
  if (__builtin_cpu_supports("avx512fp16")) kind += " avx512fp16";
  if (__builtin_cpu_supports("amx-bf16")) kind += " amx-bf16";
  kind += ", ATen " + at::get_cpu_capability();
  for (const char* variable : {"ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "LOCKSTEP_NO_BF16"}) {
    const char* limit = std::getenv(variable);
    if (limit != nullptr) kind += std::string(", ") + variable + "=" + limit;
  }
  return kind;
}

}  // namespace lockstep
