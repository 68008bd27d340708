// What every value of an experiment must satisfy before any room sees it.
#pragma once

#include "lockstep/config/experiment.h"

namespace lockstep {

// Error (2) for the first bad value: its path, the value, what is right. Whether
// the layers fit together is for the model room, which knows their shapes.
void validate(Experiment experiment);

}  // namespace lockstep
