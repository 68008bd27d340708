// A picture of any size. Plain values; any thread.
#pragma once

#include <cstdint>
#include <vector>

namespace lockstep {

struct Picture {
  int width = 0;
  int height = 0;
  int channels = 1;                  // 1: grey, 3: red, green, blue
  std::vector<std::uint8_t> pixels;  // [height, width, channels]

  bool operator==(const Picture&) const = default;
};

}  // namespace lockstep
