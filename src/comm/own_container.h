// Whether this process is a rank in a container of its own. Local.
#pragma once

namespace lockstep {

// None of the processes above it that it can see is what starts ranks: mpirun, its daemon or
// Slurm's. Ranks in one container with mpirun see it.
bool is_in_own_container();

}  // namespace lockstep
