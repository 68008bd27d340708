#include "cuda/nvrtc.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <spdlog/spdlog.h>

#include <filesystem>
#include <memory>
#include <sstream>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

// NVRTC's C interface, as far as it is used; its header is not needed to build.
using Program = struct _nvrtcProgram*;
constexpr int kSuccess = 0;

struct Api {
  int (*create)(Program*, const char* source, const char* name, int headers,
                const char* const* header_texts, const char* const* header_names);
  int (*compile)(Program, int options, const char* const* option_texts);
  int (*destroy)(Program*);
  int (*get_size)(Program, std::size_t* bytes);
  int (*get)(Program, char* code);
  int (*get_log_size)(Program, std::size_t* bytes);
  int (*get_log)(Program, char* log);
  const char* (*get_error_string)(int result);
};

// In a wheel, the library lies beside the CUDA runtime; else the loader finds it.
void* open_library() {
  constexpr const char* name = "libnvrtc.so.13";
  Dl_info runtime{};
  if (::dladdr(reinterpret_cast<void*>(&cudaGetDeviceCount), &runtime) != 0) {
    const auto beside = std::filesystem::path(runtime.dli_fname).parent_path() / name;
    if (void* library = ::dlopen(beside.c_str(), RTLD_NOW)) return library;
  }
  void* library = ::dlopen(name, RTLD_NOW);
  if (library == nullptr) fail_internal("could not load {}: {}", name, ::dlerror());
  return library;
}

template <typename Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (function == nullptr) fail_internal("libnvrtc.so.13 has no {}", name);
}

Api load() {
  void* library = open_library();
  Api api{};
  find(library, "nvrtcCreateProgram", api.create);
  find(library, "nvrtcCompileProgram", api.compile);
  find(library, "nvrtcDestroyProgram", api.destroy);
  find(library, "nvrtcGetCUBINSize", api.get_size);
  find(library, "nvrtcGetCUBIN", api.get);
  find(library, "nvrtcGetProgramLogSize", api.get_log_size);
  find(library, "nvrtcGetProgramLog", api.get_log);
  find(library, "nvrtcGetErrorString", api.get_error_string);
  return api;
}

const Api& api() {
  static const Api loaded = load();
  return loaded;
}

void check(int status, const char* operation) {
  if (status != kSuccess) {
    fail_internal("{} failed: {}", operation, api().get_error_string(status));
  }
}

std::string log_of(Program program) {
  std::size_t bytes = 0;
  check(api().get_log_size(program, &bytes), "nvrtcGetProgramLogSize");
  std::string log(bytes, '\0');
  check(api().get_log(program, log.data()), "nvrtcGetProgramLog");
  return log.c_str();  // it ends with a zero
}

std::string first_error(const std::string& log) {
  std::istringstream lines(log);
  std::string first;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("error") != std::string::npos) return line;
    if (first.empty()) first = line;
  }
  return first.empty() ? "the compiler gave no reason" : first;
}

std::vector<const char*> c_strings(const std::vector<std::string>& texts) {
  std::vector<const char*> pointers;
  for (const std::string& text : texts) pointers.push_back(text.c_str());
  return pointers;
}

}  // namespace

std::vector<char> compile_kernels(const KernelFile& source, const std::vector<KernelFile>& headers,
                                  const std::string& architecture,
                                  const std::vector<std::string>& definitions) {
  std::vector<std::string> texts;
  std::vector<std::string> names;
  for (const KernelFile& header : headers) {
    texts.emplace_back(header.text);
    names.emplace_back(header.name);
  }
  Program program = nullptr;
  check(api().create(&program, std::string(source.text).c_str(), std::string(source.name).c_str(),
                     static_cast<int>(headers.size()), c_strings(texts).data(),
                     c_strings(names).data()),
        "nvrtcCreateProgram");
  const auto destroy = [](Program* each) { api().destroy(each); };
  const std::unique_ptr<Program, decltype(destroy)> owner(&program, destroy);

  std::vector<std::string> options = {"--gpu-architecture=" + architecture, "-std=c++17"};
  for (const std::string& each : definitions) options.push_back("-D" + each);
  const int status =
      api().compile(program, static_cast<int>(options.size()), c_strings(options).data());
  const std::string log = log_of(program);
  if (!log.empty()) spdlog::debug("compiling the kernels for {}:\n{}", architecture, log);
  if (status != kSuccess) {
    fail_internal("the kernels do not compile for {}: {}", architecture,
                  log.empty() ? api().get_error_string(status) : first_error(log));
  }
  std::size_t bytes = 0;
  check(api().get_size(program, &bytes), "nvrtcGetCUBINSize");
  std::vector<char> code(bytes);
  check(api().get(program, code.data()), "nvrtcGetCUBIN");
  return code;
}

}  // namespace lockstep
