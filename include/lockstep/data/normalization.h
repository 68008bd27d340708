// Pixels to numbers: value = pixel * factor[c] + offset[c]. Plain values; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/data/options.h"
#include "lockstep/data/row_share.h"

namespace lockstep {

struct Normalization {
  std::vector<float> factor;  // [channels]
  std::vector<float> offset;  // [channels]

  bool operator==(const Normalization&) const = default;
};

// For kinds that need no statistics; `counts` is used by kStandardize alone:
// counts[channel][value] over all training rows.
Normalization make_normalization(NormalizationKind kind, int channels,
                                 std::span<const std::array<std::int64_t, 256>> counts);

// pixels [rows, shape.pixels()] to images of the same layout.
void normalize(std::span<const std::uint8_t> pixels, const ImageShape& shape,
               const Normalization& normalization, std::span<float> images);

// The same in place, for images [rows, shape.pixels()] in pixel units.
void normalize(std::span<float> images, const ImageShape& shape,
               const Normalization& normalization);

// Held rows [rows.first, rows.last) of `share` as a batch, without augmentation.
// Labels are empty where the share's are.
void fill_batch(const RowShare& share, Range rows, const Normalization& normalization,
                Batch& batch);

}  // namespace lockstep
