// From the grammar's message to the plain structs: the fields present are set,
// the others keep their defaults.
#pragma once

#include "experiment.pb.h"
#include "lockstep/config/experiment.h"

namespace lockstep {

// Error (2) for a layer of no kind.
Experiment read_experiment(const proto::Experiment& from);

}  // namespace lockstep
