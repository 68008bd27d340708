// What chance decides about the image of a row in an epoch: pure functions of the arguments,
// by Philox.
#pragma once

#include <cstdint>

#include "lockstep/core/batch.h"
#include "lockstep/core/image_formulas.h"
#include "lockstep/data/options.h"

namespace lockstep {

// Which row of which epoch of which run.
struct RowInEpoch {
  std::uint64_t seed = 0;
  std::uint64_t row = 0;  // number in the source
  int epoch = 0;          // from 0
};

// The image is rotated (clockwise on the screen, as y points down), scaled, then
// shifted (right and down). The default changes nothing.
struct AffineTransform {
  float angle_radians = 0;
  float scale = 1;
  float shift_x_pixels = 0;
  float shift_y_pixels = 0;
};

AffineTransform draw_transform(const AugmentationOptions& options, const RowInEpoch& key);

// Where the pixels of a moved image are taken from.
SourceMap source_map(const AffineTransform& transform, const ImageShape& shape);

// `mean` is that of the training rows, used by the contrast alone. With black at b, brightness f
// and contrast c a value v becomes m + c (b + f (v - b) - m), where m = b + f (mean - b).
ImageChange draw_change(const AugmentationOptions& options, const ImageShape& shape,
                        const ValueRange& range, float mean, const RowInEpoch& key);

// The part of the sample's own values is drawn from Beta(a, a); with both kinds of mixing each is
// as likely. The partner is left open.
ImageMix draw_mix(const AugmentationOptions& options, const ImageShape& shape,
                  const RowInEpoch& key);

}  // namespace lockstep
