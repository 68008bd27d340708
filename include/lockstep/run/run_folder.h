// A run's folder: its name, and the files that say what was run and where.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lockstep/comm/communicator.h"
#include "lockstep/config/experiment.h"
#include "lockstep/run/place.h"
#include "lockstep/run/run_lock.h"

namespace lockstep {

// Where run folders are made: LOCKSTEP_MODELS, or else models, below LOCKSTEP_ROOT.
std::filesystem::path models_folder();

// Collective: makes the folder that `wanted` names, or models/<name>/<UTC
// time>-<first 8 digits of the experiment's digest> below LOCKSTEP_ROOT; writes
// experiment.textproto and environment.json, which keeps what it said of earlier parts of the
// run where that differs; opens logs/rank-N.log on each rank. Rank 0
// takes `lock` where it does not have it yet.
std::filesystem::path make_run_folder(Communicator& comm, const Experiment& experiment,
                                      const std::string& wanted, const std::string& device,
                                      int workers, const std::vector<Place>& places, RunLock& lock);

// Local, on rank 0, of a run that goes on: warns where build, kind of processor or device are
// not those of environment.json.
void warn_of_changes(const std::filesystem::path& run_dir, const Place& place,
                     const std::string& device);

}  // namespace lockstep
