#include "data/residence.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "lockstep/core/environment.h"
#include "lockstep/core/free_memory.h"

namespace lockstep {

namespace {

constexpr char kVariable[] = "LOCKSTEP_DATA_MEMORY";

bool is_given() { return std::getenv(kVariable) != nullptr; }

}  // namespace

std::uint64_t memory_for_rows(const Communicator& comm) {
  if (const auto told = bytes_from_environment(kVariable)) return *told;
  const std::uint64_t free = free_memory();
  if (free == 0) return std::numeric_limits<std::uint64_t>::max();
  return free / 2 / static_cast<std::uint64_t>(comm.node_size());
}

std::uint64_t agreed_round_bytes(Communicator& comm) {
  constexpr std::uint64_t kLeast = 1u << 20;
  constexpr std::uint64_t kMost = 256u << 20;
  std::uint64_t bytes = kMost;
  agree(comm, [&] { bytes = std::clamp(memory_for_rows(comm) / 2, kLeast, kMost); });
  for (const std::uint64_t each : gather_values(comm, bytes)) bytes = std::min(bytes, each);
  return bytes;
}

std::shared_ptr<const MappedRows> stay_in_file(const Communicator& comm, const FileRows& rows,
                                               std::uint64_t bytes) {
  if (rows.file == nullptr) return nullptr;
  const std::uint64_t memory = memory_for_rows(comm);
  if (bytes <= memory) return nullptr;
  return std::make_shared<MappedRows>(
      rows.file, rows.first - rows.first_in_file,
      MappedRows::Settings{.used = is_given() ? UsedRows::kGivenBack : UsedRows::kKept,
                           .memory_bytes = memory});
}

}  // namespace lockstep
