#include "data/rows_builder.h"

#include <algorithm>
#include <cmath>

#include "data/row_values.h"
#include "lockstep/core/error.h"
#include "lockstep/core/free_memory.h"

namespace lockstep {

RowsBuilder::RowsBuilder(const std::string& name, std::int64_t rows, std::int64_t pixels_per_row)
    : room_(rows) {
  const double bytes = static_cast<double>(rows) * static_cast<double>(pixels_per_row);
  if (bytes > static_cast<double>(host_memory())) {
    fail_usage("{}: {} rows of {} values; they do not fit in this machine's {} bytes", name, rows,
               pixels_per_row, host_memory());
  }
  rows_.pixels_per_row = pixels_per_row;
  rows_.pixels = ZeroedPages(static_cast<std::size_t>(rows) * rows_.row_bytes());
}

void RowsBuilder::become_floats() {
  FileRows floats;
  floats.type = PixelType::kFloat;
  floats.pixels_per_row = rows_.pixels_per_row;
  floats.count = rows_.count;
  floats.pixels = ZeroedPages(static_cast<std::size_t>(room_) * floats.row_bytes());
  for (std::int64_t i = 0; i < rows_.count; ++i) {
    std::ranges::copy(rows_.row(i).bytes(), floats.floats_of_row(i));
  }
  rows_ = std::move(floats);
}

void RowsBuilder::add(std::span<const float> values) {
  if (rows_.count == room_) fail_internal("more rows than the {} that were counted", room_);
  if (rows_.type == PixelType::kByte && !std::ranges::all_of(values, is_byte)) become_floats();
  if (rows_.type == PixelType::kByte) {
    std::ranges::transform(values, rows_.bytes_of_row(rows_.count),
                           [](float value) { return static_cast<std::uint8_t>(value); });
  } else {
    std::ranges::copy(values, rows_.floats_of_row(rows_.count));
  }
  ++rows_.count;
}

void RowsBuilder::add(std::span<const std::uint8_t> values) {
  if (rows_.count == room_) fail_internal("more rows than the {} that were counted", room_);
  if (rows_.type == PixelType::kByte) {
    std::ranges::copy(values, rows_.bytes_of_row(rows_.count));
  } else {
    std::ranges::copy(values, rows_.floats_of_row(rows_.count));
  }
  ++rows_.count;
}

FileRows RowsBuilder::take() {
  rows_.digests.reserve(static_cast<std::size_t>(rows_.count));
  for (std::int64_t i = 0; i < rows_.count; ++i) rows_.add_digest_of(i);
  return std::move(rows_);
}

ImageShape guessed_shape(int pixels) {
  const auto side_of = [](int area) { return static_cast<int>(std::lround(std::sqrt(area))); };
  const int grey = side_of(pixels);
  const int colour = side_of(pixels / 3);
  if (grey * grey == pixels) return {grey, grey, 1};
  if (3 * colour * colour == pixels) return {colour, colour, 3};
  return {1, pixels, 1};
}

}  // namespace lockstep
