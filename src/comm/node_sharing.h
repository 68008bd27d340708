// The ranks of a host that can share memory, and how. Where they cannot reach each other's at
// all, as ranks in containers of their own, each is alone.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "comm/node_memory.h"

namespace lockstep {

class NodeSharing {
 public:
  // Collective over `host`, the ranks of a host; `rank` is this one's in the world.
  NodeSharing(MPI_Comm host, int rank);
  ~NodeSharing();
  NodeSharing(const NodeSharing&) = delete;
  NodeSharing& operator=(const NodeSharing&) = delete;

  // World ranks of those that share, ascending, and this rank's place among them.
  const std::vector<int>& ranks() const { return ranks_; }
  int place() const { return place_; }

  // Collective over them: see Communicator::share().
  std::unique_ptr<SharedWindow> share(std::size_t bytes) const;

 private:
  bool works(MemoryAccess access) const;

  MPI_Comm comm_ = MPI_COMM_NULL;
  MemoryAccess access_ = MemoryAccess::kProc;
  std::vector<int> ranks_;
  int place_ = 0;
};

}  // namespace lockstep
