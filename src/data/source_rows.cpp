// What all sources have in common once a part of their rows is read.

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "data/class_labels.h"
#include "data/source.h"

namespace lockstep {

namespace {

bool is_byte(float value) { return value >= 0 && value <= 255 && value == std::floor(value); }

std::span<const float> floats_of(const FileRows& rows) {
  return {reinterpret_cast<const float*>(rows.pixels.data()),
          static_cast<std::size_t>(rows.count * rows.pixels_per_row)};
}

std::span<const std::uint8_t> bytes_of(const FileRows& rows) {
  return {rows.pixels.data(), static_cast<std::size_t>(rows.count * rows.pixels_per_row)};
}

template <class To, class From>
void convert(FileRows& rows, PixelType type, std::span<const From> from) {
  ZeroedPages pages(from.size() * sizeof(To));
  auto* const to = reinterpret_cast<To*>(pages.data());
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = static_cast<To>(from[i]);
  rows.pixels = std::move(pages);
  rows.type = type;
  rows.digests.clear();
  for (std::int64_t i = 0; i < rows.count; ++i) rows.add_digest_of(i);
}

// Collective: bytes on all ranks where all their values are such, else floats.
void settle_type(Communicator& comm, FileRows& rows) {
  const bool floats = rows.type == PixelType::kFloat;
  const auto values = floats ? floats_of(rows) : std::span<const float>();
  std::int64_t unfit = std::all_of(values.begin(), values.end(), is_byte) ? 0 : 1;
  comm.sum(std::span(&unfit, 1));
  if (unfit == 0 && floats) convert<std::uint8_t>(rows, PixelType::kByte, values);
  if (unfit > 0 && !floats) convert<float>(rows, PixelType::kFloat, bytes_of(rows));
}

struct Extremes {
  float least = std::numeric_limits<float>::infinity();
  float most = -std::numeric_limits<float>::infinity();
};

// Of bytes it is enough to know the smallest usual range that holds them.
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
  for (const float value : values) {
    extremes.least = std::min(extremes.least, value);
    extremes.most = std::max(extremes.most, value);
  }
  return extremes;
}

Extremes extremes_of_all(Communicator& comm, const FileRows& rows) {
  Extremes all =
      rows.type == PixelType::kByte ? extremes_of(bytes_of(rows)) : extremes_of(floats_of(rows));
  for (const Extremes& each : gather_values(comm, all)) {
    all.least = std::min(all.least, each.least);
    all.most = std::max(all.most, each.most);
  }
  return all;
}

// The smallest of the usual ranges that holds all values, else their own.
ValueRange range_of(const Extremes& extremes) {
  constexpr ValueRange kUsual[] = {{0, 1}, {0, 16}, {0, 255}, {0, 4095}, {0, 65535}, {-1, 1}};
  for (const ValueRange& usual : kUsual) {
    if (extremes.least >= usual.lowest && extremes.most <= usual.highest) return usual;
  }
  return {extremes.least, extremes.most};
}

}  // namespace

ReadRows read_part(Communicator& comm, const Source& source, const DataOptions& options,
                   Labels labels, Classes classes, FilePart part) {
  ReadRows read;
  Look look;
  comm.begin_long_work("reading the data", kEachRank);
  agree(comm, [&] {
    look = source.look(options, labels);
    read.rows = source.read(look.options, labels, part);
  });
  read.options = std::move(look.options);
  read.found = std::move(look.found);
  settle_type(comm, read.rows);
  settle_classes(comm, read.rows, read.options, classes, [&](std::int64_t index) {
    return source.place_of_label(read.options, part, index);
  });
  if (!read.options.range.given()) read.options.range = range_of(extremes_of_all(comm, read.rows));
  return read;
}

ReadRows read_rows(Communicator& comm, const SourceOptions& source, const DataOptions& options,
                   Labels labels, Classes classes) {
  const auto opened = open_source(comm, source);
  ReadRows read =
      read_part(comm, *opened, options, labels, classes, {comm.rank(), comm.world_size()});
  FileRows& rows = read.rows;
  rows.first = exclusive_scan(comm, rows.count);
  rows.total = rows.count;
  comm.sum(std::span(&rows.total, 1));
  return read;
}

}  // namespace lockstep
