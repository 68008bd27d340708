#include "gpu/load_plugin.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>

#include "lockstep/core/host.h"

namespace lockstep {

namespace {

namespace fs = std::filesystem;

constexpr const char* kPlugin = "liblockstep-cuda.so";

std::string load_error() {
  const char* text = ::dlerror();
  return text != nullptr ? text : "unknown error";
}

// Beside the program, or one folder above it, as tests lie.
std::string plugin_path() {
  const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
  const fs::path beside = folder / kPlugin;
  return (fs::exists(beside) ? beside : folder.parent_path() / kPlugin).string();
}

}  // namespace

const GpuPlugin* load_gpu_plugin(std::string& reason) {
  if (::dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    reason = fmt::format("no NVIDIA driver (libcuda.so.1) on {}", host_name());
    return nullptr;
  }
  // The plugin is not linked to it, so its symbols must be there for all.
  if (::dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    reason = fmt::format(
        "this LibTorch is without GPU support ({}); \"LOCKSTEP_WHEELS=cuda launcher/lockstep "
        "install\" fetches the one with it",
        load_error());
    return nullptr;
  }
  void* plugin = ::dlopen(plugin_path().c_str(), RTLD_NOW);
  const void* table = plugin != nullptr ? ::dlsym(plugin, kGpuPluginSymbol) : nullptr;
  if (table == nullptr) reason = fmt::format("the GPU library cannot be loaded: {}", load_error());
  return static_cast<const GpuPlugin*>(table);
}

}  // namespace lockstep
