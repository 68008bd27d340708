// The colours, once for pages and SVG (light and dark) and once for PNG (light),
// and the style sheet.
#pragma once

#include <string>
#include <string_view>

#include "report/drawing.h"

namespace lockstep {

// Of the light theme, as 0xRRGGBB.
unsigned light_colour(Colour colour);

// The class of a shape in an SVG: its colour is the style sheet's.
std::string class_of(Colour colour);

// Style sheets: colours as variables and the classes of charts; the page.
extern const std::string_view kChartStyle;
extern const std::string_view kPageStyle;

}  // namespace lockstep
