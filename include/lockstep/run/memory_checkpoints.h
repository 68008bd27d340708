// Checkpoints in the memory of hosts (checkpoint/memory_folder.h), for restarts after a failure.
// Those of a run have the identity that its folder has (kMemoryIdFile): a run that begins anew
// there has another one, on whatever hosts.
#pragma once

#include <filesystem>

#include "lockstep/checkpoint/checkpoint_folder.h"
#include "lockstep/checkpoint/options.h"
#include "lockstep/comm/communicator.h"

namespace lockstep {

// Collective: the newest of them that is later than `on_disk`, rank 0's newest, and whose best
// weights are on disk; empty where there is none.
CheckpointFiles newer_in_memory(Communicator& comm, const std::filesystem::path& run_dir,
                                const CheckpointFiles& on_disk);

enum class RunBegins { kAnew, kFromCheckpoint };

// Collective: where this rank is to keep them, which the first rank of each host does if the
// options say so; else empty.
std::filesystem::path prepare_memory_folder(Communicator& comm, const CheckpointOptions& options,
                                            const std::filesystem::path& run_dir, RunBegins begins);

}  // namespace lockstep
