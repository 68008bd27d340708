#include "lockstep/pictures/picture_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

#include "pictures/area_means.h"

namespace lockstep {

namespace {

using Colour = std::array<int, 3>;  // red, green, blue

Colour colour_at(const Picture& picture, int x, int y) {
  const auto at = (static_cast<std::size_t>(y) * static_cast<std::size_t>(picture.width) +
                   static_cast<std::size_t>(x)) *
                  static_cast<std::size_t>(picture.channels);
  const std::uint8_t* pixel = picture.pixels.data() + at;
  if (picture.channels == 1) return {pixel[0], pixel[0], pixel[0]};
  return {pixel[0], pixel[1], pixel[2]};
}

int brightness(const Colour& colour) { return (colour[0] + colour[1] + colour[2]) / 3; }

// xterm's colours 16 to 231 are a cube of 6 levels a side, 232 to 255 are greys from
// 8 to 238 in steps of 10.
int palette_index(const Colour& colour) {
  if (colour[0] != colour[1] || colour[1] != colour[2]) {
    const auto level = [](int value) { return (value * 5 + 127) / 255; };
    return 16 + 36 * level(colour[0]) + 6 * level(colour[1]) + level(colour[2]);
  }
  const int grey = colour[0];
  if (grey < 4) return 16;
  if (grey > 246) return 231;
  return 232 + std::min((grey - 3) / 10, 23);
}

// The control code's numbers that set a colour: of the character (38) or behind it (48).
std::string colour_code(int ground, const Colour& colour, TextStyle style) {
  if (style == TextStyle::kPalette) return fmt::format("{};5;{}", ground, palette_index(colour));
  return fmt::format("{};2;{};{};{}", ground, colour[0], colour[1], colour[2]);
}

// Rows `above` and the next one, where there is one.
std::string block_line(const Picture& picture, int above, TextStyle style) {
  std::string line;
  std::string current;
  for (int x = 0; x < picture.width; ++x) {
    std::string code = colour_code(38, colour_at(picture, x, above), style);
    if (above + 1 < picture.height) {
      code += ';';
      code += colour_code(48, colour_at(picture, x, above + 1), style);
    }
    if (code != current) line += fmt::format("\x1b[{}m", code);
    current = code;
    line += "▀";
  }
  return line + "\x1b[0m";
}

std::string ascii_line(const Picture& picture, int above) {
  constexpr std::string_view kShades = " .:-=+*#%@";
  const int below = std::min(above + 1, picture.height - 1);
  std::string line;
  for (int x = 0; x < picture.width; ++x) {
    const int mean =
        (brightness(colour_at(picture, x, above)) + brightness(colour_at(picture, x, below))) / 2;
    line += kShades[static_cast<std::size_t>(mean) * kShades.size() / 256];
  }
  return line;
}

}  // namespace

std::vector<std::string> picture_text(const Picture& picture, TextStyle style, int columns) {
  if (picture.width > columns) {
    const double height = std::round(static_cast<double>(picture.height) * columns / picture.width);
    return picture_text(scaled(picture, columns, std::max(static_cast<int>(height), 1)), style,
                        columns);
  }
  std::vector<std::string> lines;
  for (int y = 0; y < picture.height; y += 2) {
    lines.push_back(style == TextStyle::kAscii ? ascii_line(picture, y)
                                               : block_line(picture, y, style));
  }
  return lines;
}

}  // namespace lockstep
