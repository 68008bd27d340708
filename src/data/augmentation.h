// Random affine augmentation: rotation, scale and translation about the image's
// centre, sampled bilinearly, a given value outside.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/data/drawn_sample.h"
#include "lockstep/data/options.h"
#include "lockstep/data/pixel_values.h"

namespace lockstep {

// The image is rotated (clockwise on the screen, as y points down), scaled, then
// shifted (right and down). The default changes nothing.
struct AffineTransform {
  float angle_radians = 0;
  float scale = 1;
  float shift_x_pixels = 0;
  float shift_y_pixels = 0;
};

// The transform of row `row` in `epoch`: a pure function of its arguments.
AffineTransform draw_transform(const AugmentationOptions& options, std::uint64_t seed,
                               std::uint64_t row, int epoch);

// Where the pixels of a moved image are taken from.
SourceMap source_map(const AffineTransform& transform, const ImageShape& shape);

// Applies transforms to images of one shape. Holds scratch memory, so one a
// thread; the result does not depend on what was done before.
class Augmenter {
 public:
  // `outside` is the value around an image.
  Augmenter(const ImageShape& shape, float outside);

  // pixels [height, width, channels] to image, of the same layout, in pixel units.
  void apply(PixelView pixels, const SourceMap& map, std::span<float> image);

 private:
  template <class Value>
  void apply_to(const Value* pixels, const SourceMap& map, std::span<float> image);

  ImageShape shape_;
  std::vector<float> padded_;  // [height + 3, width + 3]: one channel in a border
  std::vector<float> plane_;   // [height, width]
};

}  // namespace lockstep
