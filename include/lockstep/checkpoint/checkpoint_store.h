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

  // The steps of the checkpoints, whole or not; ascending.
  std::vector<std::int64_t> steps() const;

  // The newest whole checkpoint. A newer one that is not whole is set aside (its
  // folder gets the ending ".bad") with a line in the log; temporary folders of
  // interrupted writes are removed. Throws Error (2) for a newer one that a later
  // version of Lockstep wrote, and what reading threw for one that cannot be read now
  // (1, or 2 without permission): it may be whole, and is left as it is.
  std::optional<FoundCheckpoint> find_latest() const;

  // Writes a checkpoint, reads it back, and only then removes older ones that are
  // neither among the last `keep_last` nor the best, and newer ones: the run was
  // resumed before them and makes them again.
  void save(std::int64_t step, const CheckpointFiles& files, int keep_last) const;

  // Removes the checkpoints of later steps, and the link to the best where it is of one.
  void remove_after(std::int64_t step) const;

  // Makes the checkpoint of a step the best one; without it nothing happens.
  void set_best(std::int64_t step) const;

 private:
  std::optional<std::int64_t> best_step() const;
  void remove(std::int64_t step) const;

  std::filesystem::path run_dir_;
};

}  // namespace lockstep
