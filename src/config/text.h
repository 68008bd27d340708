// An experiment as text and as a message of the grammar.
#pragma once

#include <string>

#include "experiment.pb.h"

namespace lockstep {

// Errors (2) begin "ORIGIN:LINE:COLUMN: ".
proto::Experiment parse_text(const std::string& text, const std::string& origin);

// Fields in the grammar's order; numbers as short as reads back to the same value.
std::string print_text(const proto::Experiment& experiment);

}  // namespace lockstep
