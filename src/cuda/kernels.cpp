#include "cuda/kernels.h"

#include <dlfcn.h>

#include "cuda/cuda_error.h"
#include "cuda/kernel_files.h"
#include "cuda/nvrtc.h"

namespace lockstep {

namespace {

// Of the driver's library, which comes with the driver alone and so is not linked.
struct Driver {
  decltype(&cuModuleLoadData) load_module;
  decltype(&cuModuleUnload) unload_module;
  decltype(&cuModuleGetFunction) get_function;
  decltype(&cuModuleGetFunctionCount) get_function_count;
  decltype(&cuModuleEnumerateFunctions) enumerate_functions;
  decltype(&cuFuncLoad) load_function;
  decltype(&cuLaunchKernel) launch;
  decltype(&cuGetErrorString) get_error_string;
};

template <typename Function>
void find_in(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (function == nullptr) fail_internal("libcuda.so.1 has no {}", name);
}

Driver load_driver() {
  void* library = ::dlopen("libcuda.so.1", RTLD_NOW);
  if (library == nullptr) fail_internal("could not load libcuda.so.1: {}", ::dlerror());
  Driver driver{};
  find_in(library, "cuModuleLoadData", driver.load_module);
  find_in(library, "cuModuleUnload", driver.unload_module);
  find_in(library, "cuModuleGetFunction", driver.get_function);
  find_in(library, "cuModuleGetFunctionCount", driver.get_function_count);
  find_in(library, "cuModuleEnumerateFunctions", driver.enumerate_functions);
  find_in(library, "cuFuncLoad", driver.load_function);
  find_in(library, "cuLaunchKernel", driver.launch);
  find_in(library, "cuGetErrorString", driver.get_error_string);
  return driver;
}

const Driver& driver() {
  static const Driver loaded = load_driver();
  return loaded;
}

void check_driver(CUresult status, const char* operation, const char* object) {
  if (status == CUDA_SUCCESS) return;
  const char* reason = nullptr;
  driver().get_error_string(status, &reason);
  fail_internal("{} of {} failed: {} ({})", operation, object,
                reason == nullptr ? "unknown error" : reason, static_cast<int>(status));
}

std::string architecture_of(int device) {
  int major = 0;
  int minor = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device),
        "cudaDeviceGetAttribute");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device),
        "cudaDeviceGetAttribute");
  return fmt::format("sm_{}{}", major, minor);
}

}  // namespace

Kernels::Kernels(int device, Precision precision) {
  const std::string precision_definition =
      fmt::format("LOCKSTEP_BF16={}", precision == Precision::kBf16 ? 1 : 0);
  const std::vector<char> code = compile_kernels(kKernelSource, kernel_headers(),
                                                 architecture_of(device), {precision_definition});
  check_driver(driver().load_module(&module_, code.data()), "cuModuleLoadData", "the kernels");
  load_functions();
}

// Else each is loaded at its first launch, which may be part of a recording.
void Kernels::load_functions() const {
  unsigned count = 0;
  check_driver(driver().get_function_count(&count, module_), "cuModuleGetFunctionCount",
               "the kernels");
  std::vector<CUfunction> functions(count);
  check_driver(driver().enumerate_functions(functions.data(), count, module_),
               "cuModuleEnumerateFunctions", "the kernels");
  for (const CUfunction function : functions) {
    check_driver(driver().load_function(function), "cuFuncLoad", "the kernels");
  }
}

Kernels::~Kernels() { driver().unload_module(module_); }

CUfunction Kernels::find(const char* name) {
  const auto found = functions_.find(std::string_view(name));
  if (found != functions_.end()) return found->second;
  CUfunction function = nullptr;
  check_driver(driver().get_function(&function, module_, name), "cuModuleGetFunction", name);
  functions_.emplace(name, function);
  return function;
}

void Kernels::launch(const KernelCall& call, CUstream stream) {
  void* arguments[] = {const_cast<void*>(call.arguments)};
  check_driver(driver().launch(find(call.name), call.grid.blocks_x, call.grid.blocks_y, 1,
                               call.grid.threads, 1, 1, 0, stream, arguments, nullptr),
               "cuLaunchKernel", call.name);
}

}  // namespace lockstep
