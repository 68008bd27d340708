// Overrides of single fields from the command line.
#pragma once

#include <string>

#include "config/grammar.h"

namespace lockstep {

// Applies "PATH=VALUE" (see experiment.h) and returns the path with its indices in
// brackets. Errors (2) begin "--set PATH=VALUE: ".
std::string apply_override(const std::string& text, Message& experiment);

}  // namespace lockstep
