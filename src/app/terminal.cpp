#include "app/terminal.h"

#include <cstdlib>
#include <string_view>

namespace lockstep {

TextStyle text_style_of(const ProgressOutput& output) {
  if (output.style != ProgressStyle::kColour) return TextStyle::kAscii;
  const char* value = std::getenv("COLORTERM");
  const std::string_view colours = value == nullptr ? "" : value;
  return colours == "truecolor" || colours == "24bit" ? TextStyle::kTrueColour
                                                      : TextStyle::kPalette;
}

}  // namespace lockstep
