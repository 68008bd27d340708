#include "data/row_values.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "data/rows_file.h"

namespace lockstep {

namespace {

std::span<const float> floats_of(const FileRows& rows) {
  return {reinterpret_cast<const float*>(rows.pixels.data()),
          static_cast<std::size_t>(rows.count * rows.pixels_per_row)};
}

std::span<const std::uint8_t> bytes_of(const FileRows& rows) {
  return {rows.pixels.data(), static_cast<std::size_t>(rows.count * rows.pixels_per_row)};
}

template <class To, class From>
void convert_values(FileRows& rows, std::span<const From> from) {
  ZeroedPages pages(from.size() * sizeof(To));
  auto* const to = reinterpret_cast<To*>(pages.data());
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = static_cast<To>(from[i]);
  rows.pixels = std::move(pages);
}

Extremes extremes_of(std::span<const std::uint8_t> bytes) {
  constexpr std::uint8_t kSixteen = 16;
  const bool more =
      std::any_of(bytes.begin(), bytes.end(), [](std::uint8_t value) { return value > kSixteen; });
  const std::uint8_t most =
      more || bytes.empty() ? 255 : *std::max_element(bytes.begin(), bytes.end());
  return bytes.empty() ? Extremes{} : Extremes{0, static_cast<float>(most)};
}

Extremes extremes_of(std::span<const float> values) {
  Extremes extremes;
  for (const float value : values) extremes.join({value, value});
  return extremes;
}

}  // namespace

bool are_bytes(const FileRows& rows) {
  if (rows.type == PixelType::kByte) return true;
  const auto values = floats_of(rows);
  return std::all_of(values.begin(), values.end(), is_byte);
}

void convert(FileRows& rows, PixelType type) {
  if (rows.type == type) return;
  if (type == PixelType::kByte) {
    convert_values<std::uint8_t>(rows, floats_of(rows));
  } else {
    convert_values<float>(rows, bytes_of(rows));
  }
  rows.type = type;
  rows.digests.clear();
  for (std::int64_t i = 0; i < rows.count; ++i) rows.add_digest_of(i);
}

void Extremes::join(const Extremes& other) {
  least = std::min(least, other.least);
  most = std::max(most, other.most);
}

Extremes extremes_of(const FileRows& rows) {
  if (rows.file != nullptr) {
    const ValueRange& range = rows.file->facts().range;
    return {range.lowest, range.highest};
  }
  return rows.type == PixelType::kByte ? extremes_of(bytes_of(rows)) : extremes_of(floats_of(rows));
}

ValueRange range_of(const Extremes& extremes) {
  constexpr ValueRange kUsual[] = {{0, 1}, {0, 16}, {0, 255}, {0, 4095}, {0, 65535}, {-1, 1}};
  for (const ValueRange& usual : kUsual) {
    if (extremes.least >= usual.lowest && extremes.most <= usual.highest) return usual;
  }
  return {extremes.least, extremes.most};
}

}  // namespace lockstep
