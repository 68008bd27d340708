// A picture as lines of text, for a terminal. Local, any thread.
#pragma once

#include <string>
#include <vector>

#include "lockstep/pictures/picture.h"

namespace lockstep {

enum class TextStyle {
  kAscii,       // shades of ASCII characters
  kPalette,     // half blocks in the 256 colours of xterm
  kTrueColour,  // half blocks in 24-bit colours
};

// A character for each two pixels, one above the other. A picture wider than `columns`
// is scaled down to them. Styles with colours end every line with a reset.
std::vector<std::string> picture_text(const Picture& picture, TextStyle style, int columns);

}  // namespace lockstep
