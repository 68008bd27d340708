#include "comm/node_sharing.h"

#include <spdlog/spdlog.h>

#include <optional>

#include "comm/mpi_calls.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr std::size_t kTriedBytes = 64;

std::vector<NodeMemory::Address> gather(MPI_Comm comm, const NodeMemory::Address& mine) {
  int size = 0;
  check_mpi(MPI_Comm_size(comm, &size), "MPI_Comm_size");
  std::vector<NodeMemory::Address> all(static_cast<std::size_t>(size));
  check_mpi(MPI_Allgather(&mine, sizeof(mine), MPI_BYTE, all.data(), sizeof(mine), MPI_BYTE, comm),
            "MPI_Allgather");
  return all;
}

}  // namespace

NodeSharing::NodeSharing(MPI_Comm host, int rank) {
  check_mpi(MPI_Comm_dup(host, &comm_), "MPI_Comm_dup");
  int on_host = 0;
  check_mpi(MPI_Comm_rank(comm_, &on_host), "MPI_Comm_rank");
  if (!works(MemoryAccess::kProc)) {
    access_ = MemoryAccess::kFile;
    const bool by_file = works(MemoryAccess::kFile);
    if (on_host == 0) {
      spdlog::warn(
          "the ranks of this host do not see each other's memory through /proc, as in "
          "containers of their own: they share it {}",
          by_file ? "by files in /dev/shm"
                  : "neither by files in /dev/shm, and sum by messages, which is slower");
    }
    if (!by_file) {
      check_mpi(MPI_Comm_free(&comm_), "MPI_Comm_free");
      check_mpi(MPI_Comm_dup(MPI_COMM_SELF, &comm_), "MPI_Comm_dup");
      access_ = MemoryAccess::kProc;
    }
  }
  int size = 0;
  check_mpi(MPI_Comm_size(comm_, &size), "MPI_Comm_size");
  check_mpi(MPI_Comm_rank(comm_, &place_), "MPI_Comm_rank");
  ranks_.resize(static_cast<std::size_t>(size));
  check_mpi(MPI_Allgather(&rank, 1, MPI_INT, ranks_.data(), 1, MPI_INT, comm_), "MPI_Allgather");
}

NodeSharing::~NodeSharing() { MPI_Comm_free(&comm_); }

// Whether all of them can.
bool NodeSharing::works(MemoryAccess access) const {
  std::optional<NodeMemory> mine;
  try {
    mine.emplace(kTriedBytes, access);
    if (access == MemoryAccess::kFile) mine->name_file();
  } catch (const Error&) {
  }
  const auto addresses = gather(comm_, mine ? mine->address() : NodeMemory::Address{});
  int works = 0;
  try {
    if (mine) works = NodeWindow(addresses, access).part(0).empty() ? 0 : 1;
  } catch (const Error&) {
  }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &works, 1, MPI_INT, MPI_MIN, comm_), "MPI_Allreduce");
  return works != 0;
}

std::unique_ptr<SharedWindow> NodeSharing::share(std::size_t bytes) const {
  NodeMemory mine(bytes, access_);
  if (access_ == MemoryAccess::kFile) {
    // Where one cannot reserve its memory the job ends, and the others' have no name yet.
    check_mpi(MPI_Barrier(comm_), "MPI_Barrier");
    mine.name_file();
  }
  auto window = std::make_unique<NodeWindow>(gather(comm_, mine.address()), access_);
  check_mpi(MPI_Barrier(comm_), "MPI_Barrier");  // all have mapped it; `mine` may go
  return window;
}

}  // namespace lockstep
