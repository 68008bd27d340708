// Rows to the images of samples: moved, cropped, mirrored, toned, normalized, in part erased, and
// mixed.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "data/augmentation.h"
#include "lockstep/core/batch.h"
#include "lockstep/data/drawn_sample.h"
#include "lockstep/data/normalization.h"
#include "lockstep/data/options.h"
#include "lockstep/data/pixel_values.h"

namespace lockstep {

struct FormRule {
  ImageShape shape;
  AugmentationOptions augmentation;
  ValueRange range;         // its lowest value is outside of images
  std::vector<float> mean;  // [channels], the pixel that is erased to; empty where none is
  Normalization normalization;
};

// Holds scratch memory, so one a thread; the result does not depend on what was done before.
class ImageFormer {
 public:
  explicit ImageFormer(FormRule rule);

  // pixels [height, width, channels] to image, of the same layout: as `sample` says, but for
  // what is mixed into it. Where nothing is rotated, scaled, shifted or toned, values are copied.
  void form(PixelView pixels, const DrawnSample& sample, std::span<float> image);

 private:
  PixelView place(PixelView pixels, const ImageChange& change);
  void tone(const ImageChange& change, std::span<float> image) const;
  void fill(std::span<float> image, const PixelBox& box, const std::vector<float>& pixel) const;
  void fill_outside(std::span<float> image, const ImageChange& change,
                    const std::vector<float>& pixel) const;

  FormRule rule_;
  std::vector<float> outside_;             // [channels]
  std::vector<float> normalized_outside_;  // [channels]
  std::vector<float> normalized_mean_;     // [channels]
  Augmenter augmenter_;
  std::vector<float> placed_;  // room for [shape.pixels()] values of the row's type
};

// Mixes `other` into `image`, both formed.
void mix_images(const ImageMix& mix, const ImageShape& shape, std::span<const float> other,
                std::span<float> image);

}  // namespace lockstep
