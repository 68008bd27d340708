// Writes checkpoints on a thread of its own, one at a time, while the training
// goes on. Owned by rank 0, and by one rank of each host for its memory. A failed write is a
// warning, not the end of the run: the checkpoint before is intact and the next one is tried.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "lockstep/checkpoint/checkpoint_folder.h"

namespace lockstep {

enum class AsBest { kNo, kYes };

// Where checkpoints go; those in memory are written without a line in the log.
enum class Medium { kDisk, kMemory };

class CheckpointWriter {
 public:
  CheckpointWriter(const std::filesystem::path& run_dir, int keep_last,
                   Medium medium = Medium::kDisk);
  ~CheckpointWriter();  // finishes what was begun

  // Local: takes a checkpoint to write; waits for the one before to be done. The
  // best link is moved to it once it is on disk.
  void submit(std::int64_t step, CheckpointFiles files, AsBest best);

  // Local: returns when all is on disk; false when the last write failed.
  bool finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
