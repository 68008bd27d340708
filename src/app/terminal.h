// What a terminal shows pictures and texts with. Local.
#pragma once

#include <string>

#include "lockstep/callbacks/progress_output.h"
#include "lockstep/predict/picture_text.h"

namespace lockstep {

// Colours where the output has them: 24-bit ones where COLORTERM says so.
TextStyle text_style_of(const ProgressOutput& output);

// A name from outside with "?" for control codes, so that none reach the terminal.
std::string printable(std::string text);

}  // namespace lockstep
