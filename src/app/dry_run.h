// train --dry-run: whether an experiment can be run here, and how it would be.
#pragma once

#include "app/commands.h"

namespace lockstep {

// Collective: looks at the data, compares what the training needs with the memory and
// the disk that are there, and prints the plan on rank 0. Writes nothing; counts classes if need
// be. Error (2,
// agreed) where the experiment cannot run; what may go wrong is a line "warning: ...".
void dry_run(Communicator& comm, PreparedExperiment& prepared, const CommandLine& line);

// Collective: error (2, agreed) where weights, gradients and counts of classes alone are more
// than the ranks of a host can have together; before any of it is allocated.
void check_least_memory(Communicator& comm, const PreparedExperiment& prepared);

}  // namespace lockstep
