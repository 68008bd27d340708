// Where a training begins: anew, or at a checkpoint of its run folder.
#pragma once

#include <filesystem>
#include <string>

#include "lockstep/checkpoint/checkpoint_folder.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/config/experiment.h"

namespace lockstep {

struct StartPoint {
  std::filesystem::path run_dir;  // empty: a new folder of the default name
  CheckpointFiles files;          // empty: anew; the same on every rank
};

// Collective. `resume` is "auto" (go on where `run_dir` holds a whole checkpoint),
// "never" (begin anew; what `run_dir` holds is removed) or the path of a run
// folder or checkpoint folder. Errors (2, agreed): nothing to resume at that path;
// an experiment that differs from the run's in more than what may change, the
// fields named.
StartPoint find_start(Communicator& comm, const Experiment& experiment, const std::string& run_dir,
                      const std::string& resume);

// Collective: the files of a checkpoint that rank 0 has, on every rank.
CheckpointFiles share_files(Communicator& comm, const CheckpointFiles& files);

// Sets a flag at USR1, TERM and INT; the second INT or TERM ends the process.
void watch_signals();
bool signal_came();

}  // namespace lockstep
