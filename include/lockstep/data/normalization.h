// Pixels to numbers: value = pixel * factor[c] + offset[c]. Plain values; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/data/options.h"
#include "lockstep/data/pixel_values.h"
#include "lockstep/data/row_share.h"

namespace lockstep {

struct Normalization {
  std::vector<float> factor;  // [channels]
  std::vector<float> offset;  // [channels]

  bool operator==(const Normalization&) const = default;
};

// How often the values of a channel come, in equal steps of them.
struct ValueCounts {
  float first = 0;  // the value of counts[0]
  float step = 1;   // from one value to the next
  std::vector<std::int64_t> counts;
};

// `counts`, by channel over all training rows, are used by kStandardize alone, `range` by
// kUnit.
Normalization make_normalization(NormalizationKind kind, int channels, const ValueRange& range,
                                 std::span<const ValueCounts> counts);

// The mean of each channel's values.
std::vector<float> mean_values(std::span<const ValueCounts> counts);

// For pixels that are levels from 0 to 255 of what has values of `range` in training.
Normalization for_levels(const Normalization& normalization, const ValueRange& range);

// pixels [rows, shape.pixels()] to images of the same layout.
void normalize(PixelView pixels, const ImageShape& shape, const Normalization& normalization,
               std::span<float> images);

// The same in place, for images [rows, shape.pixels()] in pixel units.
void normalize(std::span<float> images, const ImageShape& shape,
               const Normalization& normalization);

// Held rows [rows.first, rows.last) of `share` as a batch, without augmentation.
// Labels are empty where the share's are.
void fill_batch(const RowShare& share, Range rows, const Normalization& normalization,
                Batch& batch);

}  // namespace lockstep
