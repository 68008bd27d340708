// Pictures scaled along both axes by sums of whole numbers. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lockstep/pictures/options.h"
#include "lockstep/pictures/picture.h"

namespace lockstep {

// How pixels of a source lie under those of a result along one axis, in a unit of length in
// which all are whole numbers: pixel k of the source covers [k, k + 1) source_pixel, pixel i
// of the result begin + [i, i + 1) pixel. Each pixel of the result has a part of the source
// below it.
struct Axis {
  std::int64_t source_pixel = 1;
  std::int64_t pixel = 1;  // at most 65,535, which keeps the sums exact
  std::int64_t begin = 0;
  int source_size = 0;  // in pixels
  int size = 0;
};

// Writes [rows.size, columns.size, channels] levels; from row to row it is `row_bytes`.
void resample(const Picture& source, const Axis& columns, const Axis& rows, Resampling resampling,
              std::uint8_t* to, std::size_t row_bytes);

}  // namespace lockstep
