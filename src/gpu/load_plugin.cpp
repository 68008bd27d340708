#include "lockstep/gpu/load_plugin.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>

#include <filesystem>

#include "lockstep/core/host.h"

namespace lockstep {

namespace {

namespace fs = std::filesystem;

constexpr const char* kPluginFile = "liblockstep-cuda.so";

// Null with the reason.
void* load(const fs::path& path, int scope, std::string& reason) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | scope);
  if (library == nullptr) reason = ::dlerror();
  return library;
}

// Where the program's LibTorch lies: its parts must be of one build.
fs::path torch_folder() {
  void* library = ::dlopen("libtorch_cpu.so", RTLD_LAZY | RTLD_NOLOAD);
  link_map* map = nullptr;
  if (library == nullptr || ::dlinfo(library, RTLD_DI_LINKMAP, &map) != 0) return {};
  fs::path folder = fs::path(map->l_name).parent_path();
  ::dlclose(library);
  return folder;
}

// Beside the program; one folder up for those of the tests.
fs::path plugin_path() {
  const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
  const fs::path above = folder.parent_path() / kPluginFile;
  const fs::path beside = folder / kPluginFile;
  return fs::exists(above) && !fs::exists(beside) ? above : beside;
}

const GpuPlugin* find_plugin(std::string& reason) {
  if (::dlopen("libcuda.so.1", RTLD_NOW) == nullptr) {
    reason = "no NVIDIA driver (libcuda.so.1) on " + host_name();
    return nullptr;
  }
  const fs::path torch = torch_folder() / "libtorch_cuda.so";
  if (!fs::exists(torch)) {
    reason = fmt::format("LibTorch has no parts for GPUs: there is no {}", torch.string());
    return nullptr;
  }
  const fs::path plugin = plugin_path();
  if (!fs::exists(plugin)) {
    reason =
        fmt::format("Lockstep was built without support for GPUs: there is no {}", plugin.string());
    return nullptr;
  }
  if (load(torch, RTLD_GLOBAL, reason) == nullptr) return nullptr;
  void* library = load(plugin, RTLD_LOCAL, reason);
  if (library == nullptr) return nullptr;
  const auto* table = static_cast<const GpuPlugin*>(::dlsym(library, kGpuPluginSymbol));
  if (table == nullptr) reason = fmt::format("{} has no {}", plugin.string(), kGpuPluginSymbol);
  return table;
}

}  // namespace

const GpuPlugin* load_gpu_plugin(std::string& reason) {
  try {
    return find_plugin(reason);
  } catch (const fs::filesystem_error& error) {
    reason = error.what();
    return nullptr;
  }
}

}  // namespace lockstep
