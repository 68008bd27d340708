// Where an experiment's text is at fault, for errors that name a field.
#pragma once

#include <span>
#include <string>

#include "lockstep/core/error.h"

namespace lockstep {

// The path of the field that the message begins with; empty where it begins with none.
std::string field_of_message(const std::string& message);

// `error` with "ORIGIN:LINE: " before its message: the line of its field, or of the innermost
// section around it that there is. Without the line where that is of an override, or not written.
// `text` and the overrides were read without fault.
Error at_line_of_text(const Error& error, const std::string& text, const std::string& origin,
                      std::span<const std::string> overrides);

}  // namespace lockstep
