// Rows as this rank holds them for evaluation and prediction: a contiguous part,
// in row-number order, of all rows of a source or split. Parts are cut at chunk
// boundaries, so that a chunk's arithmetic is the same at every world size.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/comm/communicator.h"
#include "lockstep/core/batch.h"
#include "lockstep/core/share.h"
#include "lockstep/data/options.h"
#include "lockstep/data/pixel_values.h"

namespace lockstep {

// Rows of one evaluation chunk; the last chunk may be smaller.
inline constexpr std::int64_t kChunkRows = 128;

class MappedRows;

// Pixels, and the memory in which they are where they were brought together for this.
struct HeldPixels : PixelView {
  explicit HeldPixels(PixelView view) : PixelView(view) {}
  HeldPixels(PixelType type_of_data, std::vector<std::byte> values)
      : PixelView(type_of_data, values.data(), values.size() / bytes_of(type_of_data)),
        memory(std::move(values)) {}
  HeldPixels(HeldPixels&&) = default;

  std::vector<std::byte> memory;
};

struct RowShare {
  ImageShape shape;
  std::int64_t total = 0;             // rows over all ranks
  std::int64_t first = 0;             // place of the first row held; a multiple of kChunkRows
  PixelType type = PixelType::kByte;  // the same on every rank
  std::vector<std::byte> values;      // [size(), shape.pixels()] of `type`; or empty, and
  std::shared_ptr<const MappedRows> mapped;  // where the pixels are in place of `values`
  std::vector<std::int32_t> labels;          // [size()], or empty for unlabelled rows
  std::vector<std::uint64_t> numbers;        // [size()], row numbers in the source, from 0
  std::vector<std::string> ids;              // [size()], or empty where the source has none
  bool unlabelled = false;                   // the same on every rank, also on one without rows

  std::int64_t size() const { return static_cast<std::int64_t>(numbers.size()); }
  bool labelled() const { return !unlabelled; }
  // The pixels of held rows. Any thread.
  HeldPixels pixels(Range rows) const;
  std::int64_t chunks() const { return (size() + kChunkRows - 1) / kChunkRows; }
  // Chunk `index` of this rank, in [0, chunks()), as a range of held rows.
  Range chunk(std::int64_t index) const {
    return {index * kChunkRows, std::min((index + 1) * kChunkRows, size())};
  }
};

// Whether a source must have labels, or merely may.
enum class Labels { kRequired, kOptional };

// Collective: all rows of `source`; where the source itself tells test rows from others,
// these alone. `options` are those that a TrainingData found out. Errors (2, agreed) name
// file, line and column.
RowShare load_rows(Communicator& comm, const SourceOptions& source, const DataOptions& options,
                   Labels labels);

}  // namespace lockstep
