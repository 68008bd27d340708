// The compiler of kernels, NVIDIA's NVRTC, loaded when it is first needed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

struct KernelFile {
  std::string_view name;  // as the others include it
  std::string_view text;
};

// Local: the machine code for that architecture, as "sm_90". Error (1) with the first
// error of the compiler's; the whole log goes to the log at level debug.
std::vector<char> compile_kernels(const KernelFile& source, const std::vector<KernelFile>& headers,
                                  const std::string& architecture,
                                  const std::vector<std::string>& definitions);

}  // namespace lockstep
