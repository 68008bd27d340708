#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "app/commands.h"
#include "lockstep/core/error.h"

namespace lockstep {

int worker_count(const Communicator& comm, int threads) {
  if (threads > 0) return threads;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  const int count = ::sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : 1;
  return std::max(count / comm.node_size(), 1);
}

SourceOptions below_root(SourceOptions source) {
  const char* root = std::getenv("LOCKSTEP_ROOT");
  if (root == nullptr) return source;
  const auto place = [&](std::string& path) {
    if (!path.empty()) path = (std::filesystem::path(root) / path).lexically_normal().string();
  };
  place(source.path);
  place(source.labels);
  return source;
}

void check_device(Device device) {
  if (device != Device::kCuda) return;
  fail_usage("device: CUDA, but this build has no GPU support; use device: CPU or AUTO");
}

}  // namespace lockstep
