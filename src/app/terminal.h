// What a terminal shows pictures with. Local.
#pragma once

#include "lockstep/callbacks/progress_output.h"
#include "lockstep/pictures/picture_text.h"

namespace lockstep {

// Colours where the output has them: 24-bit ones where COLORTERM says so.
TextStyle text_style_of(const ProgressOutput& output);

}  // namespace lockstep
