// Moved images: rotation, scale and translation about the image's centre, sampled bilinearly,
// a given value outside.
#pragma once

#include <span>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/core/image_formulas.h"
#include "lockstep/data/pixel_values.h"

namespace lockstep {

// Applies transforms to images of one shape. Holds scratch memory, so one a
// thread; the result does not depend on what was done before.
class Augmenter {
 public:
  // `outside` is the value around an image.
  Augmenter(const ImageShape& shape, float outside);

  // pixels [height, width, channels] to image, of the same layout, in pixel units: moved, then
  // cropped and mirrored.
  void apply(PixelView pixels, const SourceMap& map, const ImageChange& change,
             std::span<float> image);

 private:
  template <class Value>
  void apply_to(const Value* pixels, const SourceMap& map, const ImageChange& change,
                std::span<float> image);

  ImageShape shape_;
  std::vector<float> padded_;  // [height + 3, width + 3]: one channel in a border
  std::vector<float> plane_;   // [height, width]
};

}  // namespace lockstep
