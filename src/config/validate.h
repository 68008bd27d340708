// What an experiment must satisfy before any room sees it, beside the range of each number.
#pragma once

#include "lockstep/config/experiment.h"

namespace lockstep {

// Error (2) for the first bad value: its path, the value, what is right. Whether
// the layers fit together is for the model room, which knows their shapes.
void validate(const Experiment& experiment, Check check = Check::kAll);

// How many classes there are by what the experiment itself says; 0: they are to be counted.
int told_classes(const Experiment& experiment);

}  // namespace lockstep
