// The rows of a source that this rank has read, in the source's order; the ranks' parts
// follow each other by rank. Plain values.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/row_use.h"
#include "data/zeroed_pages.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/core/batch.h"
#include "lockstep/core/digest.h"
#include "lockstep/data/options.h"
#include "lockstep/data/pixel_values.h"
#include "lockstep/data/row_share.h"

namespace lockstep {

class RowsFile;

struct FileRows {
  std::int64_t first = 0;                // number of this rank's first row in the source
  std::int64_t count = 0;                // rows of this rank
  std::int64_t total = 0;                // rows of all ranks
  std::int64_t pixels_per_row = 0;       // shape.pixels()
  PixelType type = PixelType::kByte;     // of `pixels`
  ZeroedPages pixels;                    // [count, pixels_per_row], in rows, columns, channels
  bool labelled = false;                 // the source has labels; the same on every rank
  std::vector<std::int32_t> labels;      // [count], or empty: numbers, or indexes of label_names
  std::vector<std::string> label_names;  // distinct, in any order; empty for numbers
  std::vector<std::string> ids;          // [count], or empty
  std::vector<RowUse> uses;              // [count], or empty where the source does not say
  std::vector<Digest> digests;           // [count], of each row's pixels
  std::shared_ptr<const RowsFile> file;  // where the pixels are in place of `pixels`, or null
  std::int64_t first_in_file = 0;        // index there of this rank's first row

  std::size_t row_bytes() const {
    return static_cast<std::size_t>(pixels_per_row) * bytes_of(type);
  }
  PixelView row(std::int64_t index) const {
    if (file != nullptr) return row_in_file(static_cast<std::uint64_t>(first + index));
    return {type, pixels.data() + static_cast<std::size_t>(index) * row_bytes(),
            static_cast<std::size_t>(pixels_per_row)};
  }
  // Any row of the source, by its number. Error (2): the file is damaged.
  PixelView row_in_file(std::uint64_t number) const;
  std::uint8_t* bytes_of_row(std::int64_t index) {
    return pixels.data() + static_cast<std::size_t>(index) * row_bytes();
  }
  float* floats_of_row(std::int64_t index) { return reinterpret_cast<float*>(bytes_of_row(index)); }
  std::int32_t label(std::int64_t index) const {
    return labelled ? labels[static_cast<std::size_t>(index)] : 0;
  }
  RowUse use(std::int64_t index) const {
    return uses.empty() ? RowUse::kTraining : uses[static_cast<std::size_t>(index)];
  }
  // For the reader, right behind a row, while its pixels are in the cache.
  void add_digest_of(std::int64_t index) { digests.push_back(digest_of(row(index).raw())); }
};

// Part `index` of `count` equal parts of a source.
struct FilePart {
  int index;
  int count;
};

}  // namespace lockstep
