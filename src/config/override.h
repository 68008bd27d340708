// Overrides of single fields from the command line.
#pragma once

#include <string>

#include "experiment.pb.h"

namespace lockstep {

// Applies "PATH=VALUE" (see experiment.h). Errors (2) begin "--set PATH=VALUE: ".
void apply_override(const std::string& text, proto::Experiment& experiment);

}  // namespace lockstep
