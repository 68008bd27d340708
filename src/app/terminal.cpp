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

std::string printable(std::string text) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) c = '?';
  }
  return text;
}

}  // namespace lockstep
