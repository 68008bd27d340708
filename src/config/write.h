// From the plain structs to the grammar's message, every field set.
#pragma once

#include "experiment.pb.h"
#include "lockstep/config/experiment.h"

namespace lockstep {

proto::Experiment write_experiment(const Experiment& from);

}  // namespace lockstep
