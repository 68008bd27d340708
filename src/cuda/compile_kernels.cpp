#include "cuda/compile_kernels.h"

#include <dlfcn.h>
#include <spdlog/spdlog.h>

#include <iterator>
#include <vector>

#include "cuda/kernel_sources.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

// NVRTC's C interface as far as it is used here; its header comes with no library that
// the build needs. See NVIDIA's "NVRTC" documentation, chapter 3.
struct Nvrtc {
  using Program = void*;
  int (*create)(Program* program, const char* source, const char* name, int headers,
                const char* const* texts, const char* const* names);
  int (*compile)(Program program, int options, const char* const* texts);
  int (*log_size)(Program program, std::size_t* bytes);
  int (*log)(Program program, char* text);
  int (*code_size)(Program program, std::size_t* bytes);
  int (*code)(Program program, char* bytes);
  int (*destroy)(Program* program);
  const char* (*error)(int status);
};

template <typename Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (function == nullptr) fail_internal("NVRTC has no {}", name);
}

Nvrtc load_nvrtc() {
  void* library = ::dlopen("libnvrtc.so.13", RTLD_NOW);
  if (library == nullptr) fail_internal("NVRTC cannot be loaded: {}", ::dlerror());
  Nvrtc nvrtc;
  find(library, "nvrtcCreateProgram", nvrtc.create);
  find(library, "nvrtcCompileProgram", nvrtc.compile);
  find(library, "nvrtcGetProgramLogSize", nvrtc.log_size);
  find(library, "nvrtcGetProgramLog", nvrtc.log);
  find(library, "nvrtcGetCUBINSize", nvrtc.code_size);
  find(library, "nvrtcGetCUBIN", nvrtc.code);
  find(library, "nvrtcDestroyProgram", nvrtc.destroy);
  find(library, "nvrtcGetErrorString", nvrtc.error);
  return nvrtc;
}

std::string first_error(const std::string& log) {
  const std::size_t at = log.find("error");
  if (at == std::string::npos) return log;
  const std::size_t begin = log.rfind('\n', at);
  const std::size_t first = begin == std::string::npos ? 0 : begin + 1;
  return log.substr(first, log.find('\n', at) - first);
}

std::string log_of(const Nvrtc& nvrtc, Nvrtc::Program program) {
  std::size_t bytes = 0;
  nvrtc.log_size(program, &bytes);
  std::string log(bytes, '\0');
  if (bytes > 0) nvrtc.log(program, log.data());
  return log;
}

}  // namespace

std::string compile_kernels(Precision precision, int major, int minor) {
  const Nvrtc nvrtc = load_nvrtc();
  std::vector<const char*> names;
  std::vector<const char*> texts;
  for (const KernelSource& header : kKernelHeaders) {
    names.push_back(header.name);
    texts.push_back(header.text);
  }
  Nvrtc::Program program = nullptr;
  const auto check = [&](int status, const char* operation) {
    if (status == 0) return;
    const std::string log = program != nullptr ? log_of(nvrtc, program) : "";
    spdlog::info("NVRTC: {}", log);
    fail_internal("{} of the kernels failed: {}: {}", operation, nvrtc.error(status),
                  first_error(log));
  };
  check(nvrtc.create(&program, kKernels.text, kKernels.name, static_cast<int>(names.size()),
                     texts.data(), names.data()),
        "reading");
  const std::string architecture = fmt::format("--gpu-architecture=sm_{}{}", major, minor);
  const char* const values =
      precision == Precision::kBf16 ? "-DLOCKSTEP_BF16=1" : "-DLOCKSTEP_BF16=0";
  const char* options[] = {architecture.c_str(), values, "--std=c++17"};
  check(nvrtc.compile(program, static_cast<int>(std::size(options)), options), "compiling");
  std::size_t bytes = 0;
  check(nvrtc.code_size(program, &bytes), "taking the code");
  std::string code(bytes, '\0');
  check(nvrtc.code(program, code.data()), "taking the code");
  nvrtc.destroy(&program);
  return code;
}

}  // namespace lockstep
