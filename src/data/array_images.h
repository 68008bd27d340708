// What NumPy arrays of images and labels mean. Any thread. Errors (2) name the array.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "data/npy.h"
#include "lockstep/core/batch.h"
#include "lockstep/core/share.h"
#include "lockstep/data/options.h"

namespace lockstep {

struct ArrayLayout {
  ImageShape shape;
  PixelLayout pixels = PixelLayout::kInterleaved;
};

// Of an array of [rows, height, width], [rows, height, width, channels], [rows, channels,
// height, width] or [rows, pixels], the last in the layout `flat`. Without a shape that is
// `wanted`, channels are the 1 or 3 of them; Error where two readings are as likely.
ArrayLayout layout_of(const NpyArray& images, const std::optional<ImageShape>& wanted,
                      PixelLayout flat);

// The labels of the rows in `range`, of an array of [rows], [rows, 1] or one-hot [rows, classes].
std::vector<std::int32_t> labels_of(const NpyArray& labels, Range range);

// That a float holds the values of a row as they are, rounded if they are real.
void check_values(const NpyArray& images, std::int64_t row, std::span<const double> values);

// The rows of an array: its first size.
inline std::int64_t rows_of(const NpyArray& array) {
  return array.shape.empty() ? 0 : array.shape[0];
}

}  // namespace lockstep
