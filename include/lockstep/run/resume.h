// Where a training begins: anew, or at a checkpoint of its run folder.
#pragma once

#include <filesystem>
#include <string>

#include "lockstep/checkpoint/checkpoint_folder.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/config/experiment.h"
#include "lockstep/run/run_lock.h"

namespace lockstep {

struct StartPoint {
  std::filesystem::path run_dir;  // empty: a new folder of the default name
  CheckpointFiles files;          // empty: anew; the same on every rank
};

// Collective. `resume` is "auto" (go on where `run_dir` holds a whole checkpoint),
// "never" (begin anew; what `run_dir` holds is removed) or the path of a run
// folder or checkpoint folder. Where the run's latest checkpoint is one in the memory of a
// host, it goes on there, unless `resume` is that of another. Rank 0 takes `lock` before it looks
// into the run folder. Errors (2, agreed): nothing to resume at that path; another job in that
// folder; an experiment that differs from the run's in more than what may change,
// the fields named; a checkpoint of a newer version.
StartPoint find_start(Communicator& comm, const Experiment& experiment, const std::string& run_dir,
                      const std::string& resume, RunLock& lock);

// Local. Error (2): `folder` is a file, or holds something but no run: to train there would
// overwrite what is perhaps not meant.
void check_run_folder(const std::filesystem::path& folder);

// From now on USR1, TERM, HUP and INT set a flag; the second INT ends the process. The others may
// come twice for one cause, as TERM from `timeout`.
// Before MPI starts, so that no signal is too early.
void watch_signals();
bool signal_came();

}  // namespace lockstep
