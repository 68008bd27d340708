// What started this process, by the variables that launchers of ranks set.
#pragma once

namespace lockstep {

// Local: fails in one line (usage) where the process is one of several that were started by
// a launcher that Open MPI does not hear: each would be a world of its own. Nothing to say of
// a process that is alone. To be called where Open MPI's own variables are not there.
void refuse_other_launchers();

}  // namespace lockstep
