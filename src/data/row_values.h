// What values the pixels of rows have. Local, any thread.
#pragma once

#include <cmath>
#include <limits>

#include "data/file_rows.h"

namespace lockstep {

// Whether it is a whole number from 0 to 255; whether all are.
inline bool is_byte(float value) {
  return value >= 0 && value <= 255 && value == std::floor(value);
}
bool are_bytes(const FileRows& rows);

// The same values as another type; their digests too. Not for rows in a file.
void convert(FileRows& rows, PixelType type);

struct Extremes {
  float least = std::numeric_limits<float>::infinity();
  float most = -std::numeric_limits<float>::infinity();

  void join(const Extremes& other);
};

// Of bytes it is enough to know the smallest usual range that holds them.
Extremes extremes_of(const FileRows& rows);

// The smallest of the usual ranges that holds all values, else their own.
ValueRange range_of(const Extremes& extremes);

}  // namespace lockstep
