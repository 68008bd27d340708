#include "data/pixel_order.h"

#include <cstddef>

#include "lockstep/core/error.h"

namespace lockstep {

PixelOrder::PixelOrder(const ImageShape& shape, std::int64_t down, std::int64_t right,
                       std::int64_t deep) {
  places_.reserve(static_cast<std::size_t>(shape.pixels()));
  bool plain = true;
  for (int y = 0; y < shape.height; ++y) {
    for (int x = 0; x < shape.width; ++x) {
      for (int c = 0; c < shape.channels; ++c) {
        const std::int64_t place = y * down + x * right + c * deep;
        plain = plain && place == static_cast<std::int64_t>(places_.size());
        places_.push_back(static_cast<std::uint32_t>(place));
      }
    }
  }
  if (plain) places_.clear();
}

PixelOrder PixelOrder::of(PixelLayout layout, const ImageShape& shape) {
  const std::int64_t height = shape.height;
  const std::int64_t width = shape.width;
  const std::int64_t channels = shape.channels;
  switch (layout) {
    case PixelLayout::kInterleaved:
      return {shape, width * channels, channels, 1};
    case PixelLayout::kPlanar:
      return {shape, width, 1, height * width};
    case PixelLayout::kTransposed:
      return {shape, channels, height * channels, 1};
  }
  fail_internal("a layout {}", static_cast<int>(layout));
}

template <typename Pixel>
void PixelOrder::turn(Pixel* pixels, std::vector<Pixel>& before) {
  before.assign(pixels, pixels + places_.size());
  for (std::size_t i = 0; i < places_.size(); ++i) pixels[i] = before[places_[i]];
}

template void PixelOrder::turn(std::uint8_t* pixels, std::vector<std::uint8_t>& before);
template void PixelOrder::turn(float* pixels, std::vector<float>& before);

}  // namespace lockstep
