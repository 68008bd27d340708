// Whether the texts of an experiment can be written to JSON, metadata and pages.
#pragma once

#include "config/grammar.h"

namespace lockstep {

// Error (2) that names the first text field that is not UTF-8.
void check_encoding(const Message& experiment);

}  // namespace lockstep
