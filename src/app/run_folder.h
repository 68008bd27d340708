// A run's folder: its name, and the files that say what was run and where.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "app/place.h"
#include "app/run_lock.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/config/experiment.h"

namespace lockstep {

// Where run folders are made: LOCKSTEP_MODELS, or else models, below LOCKSTEP_ROOT.
std::filesystem::path models_folder();

// Collective: makes the folder that `wanted` names, or models/<name>/<UTC
// time>-<first 8 digits of the experiment's digest> below LOCKSTEP_ROOT; writes
// experiment.textproto and environment.json; opens logs/rank-N.log on each rank. Rank 0
// takes `lock` where it does not have it yet.
std::filesystem::path make_run_folder(Communicator& comm, const Experiment& experiment,
                                      const std::string& wanted, const std::string& device,
                                      int workers, const std::vector<Place>& places, RunLock& lock);

}  // namespace lockstep
