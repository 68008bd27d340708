// The checkpoint and initialize sections of an experiment. Plain values, the only home of their
// defaults.
#pragma once

#include <string>
#include <vector>

namespace lockstep {

struct CheckpointOptions {
  int every_steps = 0;       // save the run state so often; 0: at the end of epochs only
  double every_seconds = 0;  // and whenever this much time has passed; 0: never
  int keep_last = 2;         // run states kept, besides the best
  // Save it in the memory of every host so often, for a restart after a failure; 0: never.
  int in_memory_every_steps = 0;
};

// Whose names of tensors become ours; torchvision's networks.
enum class NameMap { kNone, kResnet18, kResnet34, kResnet50 };

// Names of tensors by patterns (core/pattern.h).
struct RenameOptions {
  std::string from;
  std::string to;  // with no more stars than `from`
};

// What a training begins with, and what it leaves so.
struct InitializeOptions {
  std::string path;  // run folder, checkpoint folder or .safetensors; empty: drawn by the seed
  std::vector<RenameOptions> rename;  // of the file's tensors, one after the other
  NameMap map = NameMap::kNone;       // then
  std::vector<std::string> skip;      // parameters that are drawn all the same
  std::vector<std::string> freeze;    // parameters that are not trained
};

}  // namespace lockstep
