// The checkpoints of a run folder: which there are, which is the newest whole one,
// and which may go. Owned by rank 0. Local.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "lockstep/checkpoint/checkpoint_folder.h"

namespace lockstep {

struct FoundCheckpoint {
  std::int64_t step;
  CheckpointFiles files;
};

class CheckpointStore {
 public:
  explicit CheckpointStore(std::filesystem::path run_dir);

  // The newest whole checkpoint. A newer one that is not whole is set aside (its
  // folder gets the ending ".bad") with a line in the log; temporary folders of
  // interrupted writes are removed.
  std::optional<FoundCheckpoint> find_latest() const;

  // Writes a checkpoint, reads it back, and only then removes those that are
  // neither among the last `keep_last` nor the best.
  void save(std::int64_t step, const CheckpointFiles& files, int keep_last) const;

  // Makes a checkpoint that is there the best one.
  void set_best(std::int64_t step) const;

 private:
  std::vector<std::int64_t> steps() const;  // ascending
  std::optional<std::int64_t> best_step() const;

  std::filesystem::path run_dir_;
};

}  // namespace lockstep
