// Rows of values as a reader finds them, kept as bytes while all are whole numbers from 0 to 255,
// else as floats. For a reader that knows how many rows its part has.
#pragma once

#include <span>
#include <string>

#include "data/file_rows.h"

namespace lockstep {

class RowsBuilder {
 public:
  // Error (2), of `name`: rows that cannot fit in this machine's memory.
  RowsBuilder(const std::string& name, std::int64_t rows, std::int64_t pixels_per_row);

  // The next row, of pixels_per_row finite values.
  void add(std::span<const float> values);
  void add(std::span<const std::uint8_t> values);

  // The rows added, with their digests; labels and the like are the caller's.
  FileRows take();

 private:
  void become_floats();

  FileRows rows_;
  std::int64_t room_;
};

// Images that are square, or square with three channels, else one row of pixels.
ImageShape guessed_shape(int pixels);

}  // namespace lockstep
