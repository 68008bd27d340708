// A small picture of a row, for galleries. Plain values; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/core/batch.h"

namespace lockstep {

// Pixels of a longer side than this are averaged in square blocks.
inline constexpr int kThumbnailSide = 64;

struct Thumbnail {
  int width = 0;
  int height = 0;
  int channels = 1;                  // 1: grey, 3: red, green, blue
  std::vector<std::uint8_t> pixels;  // [height, width, channels]

  bool operator==(const Thumbnail&) const = default;
};

// pixels [shape.pixels()]. Images of 3 channels are in colour; of any other number
// the first channel is shown.
Thumbnail make_thumbnail(const ImageShape& shape, std::span<const std::uint8_t> pixels);

}  // namespace lockstep
