// Pixels to a PNG file. Local; a pure function.
#pragma once

#include <string>

#include "lockstep/pictures/picture.h"

namespace lockstep {

// Of 1 or 3 channels. Quick rather than small: a report's pictures have up to two thirds more bytes
// than with libpng's own choices. Error (1) where it fails.
std::string encode_png(const Picture& picture);

}  // namespace lockstep
