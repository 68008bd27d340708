#include "lockstep/gpu/find_gpu.h"

#include <algorithm>
#include <cstdlib>

#include "lockstep/core/error.h"
#include "lockstep/core/host.h"
#include "lockstep/gpu/load_plugin.h"

namespace lockstep {

namespace {

void check_one_rank_a_gpu(Communicator& comm, const std::string& identity) {
  const std::vector<std::string> identities = gather_texts(comm, identity);
  const std::vector<std::string> hosts = gather_texts(comm, host_name());
  for (std::size_t rank = 1; rank < identities.size(); ++rank) {
    const auto end = identities.begin() + static_cast<std::ptrdiff_t>(rank);
    const auto first = std::find(identities.begin(), end, identities[rank]);
    if (first == end) continue;
    throw Error(ExitCode::kUsage,
                fmt::format("ranks {} and {} on {} would share one GPU ({}); start as many ranks "
                            "on a host as it has GPUs, or set device=CPU",
                            first - identities.begin(), rank, hosts[rank], identities[rank]),
                Reach::kAgreed);
  }
}

void check_one_kind(Communicator& comm, const std::string& name) {
  const std::vector<std::string> names = gather_texts(comm, name);
  const auto other =
      std::find_if(names.begin(), names.end(), [&](const auto& each) { return each != names[0]; });
  if (other == names.end()) return;
  throw Error(ExitCode::kUsage,
              fmt::format("rank {} has a {}, rank 0 a {}; equal bits need GPUs of one kind",
                          other - names.begin(), *other, names[0]),
              Reach::kAgreed);
}

}  // namespace

FoundGpu find_gpu(Communicator& comm) {
  std::string reason;
  const GpuPlugin* plugin = load_gpu_plugin(reason);
  return find_gpu(comm, plugin, reason);
}

FoundGpu find_gpu(Communicator& comm, const GpuPlugin* plugin, const std::string& reason) {
  std::string why_none = reason;
  int count = 0;
  agree(comm, [&] { count = plugin != nullptr ? plugin->count(why_none) : 0; });
  const std::vector<int> counts = gather_values(comm, count);
  const auto without = std::find(counts.begin(), counts.end(), 0);
  if (without != counts.end()) {
    const auto rank = static_cast<int>(without - counts.begin());
    const std::string text = broadcast_text(comm, why_none, rank);
    const bool nobody_has = std::count(counts.begin(), counts.end(), 0) == comm.world_size();
    return {nullptr, nobody_has ? text : fmt::format("rank {}: {}", rank, text)};
  }
  const int index = comm.node_place() % count;
  if (std::getenv("LOCKSTEP_SHARE_GPU") == nullptr) {
    check_one_rank_a_gpu(comm, plugin->identity(index));
  }
  FoundGpu found;
  agree(comm, [&] { found.gpu.reset(plugin->open(index)); });
  check_one_kind(comm, found.gpu->name());
  return found;
}

}  // namespace lockstep
