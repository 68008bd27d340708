#include "data/pixel_order.h"

#include <cstddef>

namespace lockstep {

PixelOrder::PixelOrder(const ImageShape& shape, PixelLayout layout) {
  if (layout == PixelLayout::kInterleaved) return;
  const auto& [height, width, channels] = shape;
  places_.reserve(static_cast<std::size_t>(shape.pixels()));
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) {
        const int place = layout == PixelLayout::kPlanar ? (c * height + y) * width + x
                                                         : (x * height + y) * channels + c;
        places_.push_back(static_cast<std::uint32_t>(place));
      }
    }
  }
}

template <typename Pixel>
void PixelOrder::turn(Pixel* pixels, std::vector<Pixel>& before) {
  before.assign(pixels, pixels + places_.size());
  for (std::size_t i = 0; i < places_.size(); ++i) pixels[i] = before[places_[i]];
}

template void PixelOrder::turn(std::uint8_t* pixels, std::vector<std::uint8_t>& before);
template void PixelOrder::turn(float* pixels, std::vector<float>& before);

}  // namespace lockstep
