#include "data/augmentation.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lockstep/core/clones.h"
#include "lockstep/core/philox.h"

namespace lockstep {

namespace {

// One value before the image and two after it: coordinates are clamped to one
// pixel outside, and a sample reads its right and lower neighbours.
constexpr int kBefore = 1;
constexpr int kBorder = 3;

// padded [height + kBorder, width + kBorder] to plane [height, width].
LOCKSTEP_CLONES void sample(const float* __restrict padded, const SourceMap map, int height,
                            int width, float* __restrict plane) {
  const int stride = width + kBorder;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const PixelPlace at = formula::source_of(map, width, height, x, y);
      const int corner = at.top * stride + at.left;
      plane[x] = formula::bilinear(at, padded[corner], padded[corner + 1], padded[corner + stride],
                                   padded[corner + stride + 1]);
    }
    plane += width;
  }
}

}  // namespace

// Input coordinates are counted in the padded image.
SourceMap source_map(const AffineTransform& transform, const ImageShape& shape) {
  const float centre_x = static_cast<float>(shape.width - 1) / 2;
  const float centre_y = static_cast<float>(shape.height - 1) / 2;
  const float xx = std::cos(transform.angle_radians) / transform.scale;
  const float xy = std::sin(transform.angle_radians) / transform.scale;
  const float from_x = centre_x + transform.shift_x_pixels;
  const float from_y = centre_y + transform.shift_y_pixels;
  return {xx, xy, centre_x + kBefore - xx * from_x - xy * from_y,
          centre_y + kBefore + xy * from_x - xx * from_y};
}

AffineTransform draw_transform(const AugmentationOptions& options, std::uint64_t seed,
                               std::uint64_t row, int epoch) {
  const PhiloxBlock words =
      philox(philox_key(seed, Purpose::kAugment),
             {static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(row >> 32),
              static_cast<std::uint32_t>(epoch), 0});
  const auto symmetric = [&](std::size_t word, float limit) {
    return (2 * unit_interval(words[word]) - 1) * limit;
  };
  AffineTransform transform;
  transform.angle_radians =
      symmetric(0, options.rotation_degrees) * (std::numbers::pi_v<float> / 180);
  transform.shift_x_pixels = symmetric(1, options.translation_pixels);
  transform.shift_y_pixels = symmetric(2, options.translation_pixels);
  transform.scale = 1 + symmetric(3, options.scale);
  return transform;
}

Augmenter::Augmenter(const ImageShape& shape, float outside)
    : shape_(shape),
      padded_(static_cast<std::size_t>((shape.height + kBorder) * (shape.width + kBorder)),
              outside),
      plane_(static_cast<std::size_t>(shape.height * shape.width)) {}

void Augmenter::apply(PixelView pixels, const SourceMap& map, std::span<float> image) {
  if (pixels.type == PixelType::kByte) {
    apply_to(pixels.bytes().data(), map, image);
  } else {
    apply_to(pixels.floats().data(), map, image);
  }
}

template <class Value>
void Augmenter::apply_to(const Value* pixels, const SourceMap& map, std::span<float> image) {
  const int channels = shape_.channels;
  for (int channel = 0; channel < channels; ++channel) {
    const Value* from = pixels + channel;
    for (int y = 0; y < shape_.height; ++y) {
      float* row = padded_.data() + (y + kBefore) * (shape_.width + kBorder) + kBefore;
      for (int x = 0; x < shape_.width; ++x) row[x] = static_cast<float>(from[x * channels]);
      from += shape_.width * channels;
    }
    if (channels == 1) {
      sample(padded_.data(), map, shape_.height, shape_.width, image.data());
      return;
    }
    sample(padded_.data(), map, shape_.height, shape_.width, plane_.data());
    float* to = image.data() + channel;
    for (const float value : plane_) {
      *to = value;
      to += channels;
    }
  }
}

}  // namespace lockstep
