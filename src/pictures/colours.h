// Levels of colour as a picture holds them. Pure.
#pragma once

#include <cstdint>

namespace lockstep {

// Of ITU-R BT.601, rounded half up.
inline int luma(int red, int green, int blue) {
  return (299 * red + 587 * green + 114 * blue + 500) / 1000;
}

inline int over(int background, int level, int opacity) {
  return (level * opacity + background * (255 - opacity) + 127) / 255;
}

// `value` of [0, most] as a level, rounded half up.
inline int level_of(std::int64_t value, std::int64_t most) {
  return static_cast<int>((value * 510 + most) / (2 * most));
}

// Writes pixels one after the other. Plain data, so that a jump over it is no harm.
struct PixelWriter {
  std::uint8_t* next;
  int channels;  // 1 or 3

  void colour(int red, int green, int blue) {
    if (channels == 1) {
      *next++ = static_cast<std::uint8_t>(luma(red, green, blue));
      return;
    }
    *next++ = static_cast<std::uint8_t>(red);
    *next++ = static_cast<std::uint8_t>(green);
    *next++ = static_cast<std::uint8_t>(blue);
  }

  void grey(int level) {
    for (int c = 0; c < channels; ++c) *next++ = static_cast<std::uint8_t>(level);
  }
};

}  // namespace lockstep
