#include "data/augmentation.h"

#include <algorithm>

#include "lockstep/core/clones.h"

namespace lockstep {

namespace {

// One value before the image and two after it: coordinates are clamped to one
// pixel outside, and a sample reads its right and lower neighbours.
constexpr int kBefore = 1;
constexpr int kBorder = 3;

// padded [height + kBorder, width + kBorder] to plane [height, width], which begins at pixel
// (first_x, first_y) of the moved image.
LOCKSTEP_CLONES void sample(const float* __restrict padded, const SourceMap map, int height,
                            int width, int first_x, int first_y, float* __restrict plane) {
  const int stride = width + kBorder;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const PixelPlace at = formula::source_of(map, width, height, first_x + x, first_y + y);
      const int corner = at.top * stride + at.left;
      plane[x] = formula::bilinear(at, padded[corner], padded[corner + 1], padded[corner + stride],
                                   padded[corner + stride + 1]);
    }
    plane += width;
  }
}

}  // namespace

Augmenter::Augmenter(const ImageShape& shape, float outside)
    : shape_(shape),
      padded_(static_cast<std::size_t>((shape.height + kBorder) * (shape.width + kBorder)),
              outside),
      plane_(static_cast<std::size_t>(shape.height * shape.width)) {}

void Augmenter::apply(PixelView pixels, const SourceMap& map, const ImageChange& change,
                      std::span<float> image) {
  if (pixels.type == PixelType::kByte) {
    apply_to(pixels.bytes().data(), map, change, image);
  } else {
    apply_to(pixels.floats().data(), map, change, image);
  }
}

template <class Value>
void Augmenter::apply_to(const Value* pixels, const SourceMap& map, const ImageChange& change,
                         std::span<float> image) {
  const int channels = shape_.channels;
  for (int channel = 0; channel < channels; ++channel) {
    const Value* from = pixels + channel;
    for (int y = 0; y < shape_.height; ++y) {
      float* row = padded_.data() + (y + kBefore) * (shape_.width + kBorder) + kBefore;
      for (int x = 0; x < shape_.width; ++x) row[x] = static_cast<float>(from[x * channels]);
      from += shape_.width * channels;
    }
    float* const plane = channels == 1 ? image.data() : plane_.data();
    sample(padded_.data(), map, shape_.height, shape_.width, change.crop_x, change.crop_y, plane);
    if (change.mirrored != 0) {
      for (float* row = plane; row != plane + plane_.size(); row += shape_.width) {
        std::reverse(row, row + shape_.width);
      }
    }
    if (channels == 1) return;
    float* to = image.data() + channel;
    for (const float value : plane_) {
      *to = value;
      to += channels;
    }
  }
}

}  // namespace lockstep
