// Drawings and pictures as files. Pure functions; any thread.
#pragma once

#include <string>

#include "report/drawing.h"

namespace lockstep {

// An <svg> element for a page, coloured by the page's style sheet.
std::string inline_svg(const Drawing& drawing);

// An SVG file with its own style sheet.
std::string svg_file(const Drawing& drawing);

// A PNG file of twice the drawing's width and height, on white. Error (1) when it
// cannot be drawn.
std::string png_file(const Drawing& drawing);

// A PNG file of the picture's own size, and the same as a data: address.
std::string png_file(const Picture& image);
std::string data_address(const Picture& image);

}  // namespace lockstep
