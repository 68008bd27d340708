#include "lockstep/pictures/thumbnail.h"

#include <algorithm>

namespace lockstep {

namespace {

// The mean of one channel over a block that begins at (x, y) and may reach past
// the image's edge, rounded.
std::uint8_t block_mean(const ImageShape& shape, std::span<const std::uint8_t> pixels, int x, int y,
                        int side, int channel) {
  const int right = std::min(x + side, shape.width);
  const int bottom = std::min(y + side, shape.height);
  int sum = 0;
  for (int row = y; row < bottom; ++row) {
    for (int column = x; column < right; ++column) {
      sum +=
          pixels[static_cast<std::size_t>((row * shape.width + column) * shape.channels + channel)];
    }
  }
  const int count = (right - x) * (bottom - y);
  return static_cast<std::uint8_t>((sum + count / 2) / count);
}

}  // namespace

Picture make_thumbnail(const ImageShape& shape, std::span<const std::uint8_t> pixels) {
  const int longest = std::max(shape.width, shape.height);
  const int side = (longest + kThumbnailSide - 1) / kThumbnailSide;
  Picture thumbnail;
  thumbnail.width = (shape.width + side - 1) / side;
  thumbnail.height = (shape.height + side - 1) / side;
  thumbnail.channels = shape.channels == 3 ? 3 : 1;
  for (int y = 0; y < shape.height; y += side) {
    for (int x = 0; x < shape.width; x += side) {
      for (int channel = 0; channel < thumbnail.channels; ++channel) {
        thumbnail.pixels.push_back(block_mean(shape, pixels, x, y, side, channel));
      }
    }
  }
  return thumbnail;
}

}  // namespace lockstep
