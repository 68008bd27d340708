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

// Where the pixels of an image stand among the values of its row.
class PixelOrder {
 public:
  // The steps from a value to the one below it, right of it and of the next channel.
  PixelOrder(const ImageShape& shape, std::int64_t down, std::int64_t right, std::int64_t deep);
  static PixelOrder of(PixelLayout layout, const ImageShape& shape);

  // Whether they stand as rows are kept: rows, columns, channels.
  bool is_plain() const { return places_.empty(); }
  // Puts the values of a row in that order.
  template <typename Value>
  void arrange(std::span<const Value> values, std::span<float> pixels) const {
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = static_cast<float>(values[is_plain() ? i : places_[i]]);
    }
  }

 private:
  std::vector<std::uint32_t> places_;  // empty for the plain order
};

// Images that are square, or square with three channels, else one row of pixels.
ImageShape guessed_shape(int pixels);

}  // namespace lockstep
