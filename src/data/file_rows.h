// The rows of a source that this rank has read, in file order; the ranks' parts
// follow each other by rank. Plain values.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/zeroed_pages.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/core/batch.h"
#include "lockstep/core/digest.h"
#include "lockstep/data/options.h"
#include "lockstep/data/pixel_values.h"
#include "lockstep/data/row_share.h"

namespace lockstep {

// What a source says that a row is for.
enum class RowUse : std::uint8_t { kTraining, kValidation, kTest };

struct FileRows {
  std::int64_t first = 0;           // number of this rank's first row in the source
  std::int64_t count = 0;           // rows of this rank
  std::int64_t total = 0;           // rows of all ranks
  std::int64_t pixels_per_row = 0;  // shape.pixels()
  PixelType type = PixelType::kByte;
  ZeroedPages pixels;                // [count, pixels_per_row]
  bool labelled = false;             // the source has labels; the same on every rank
  std::vector<std::int32_t> labels;  // [count], or empty for unlabelled rows
  std::vector<std::string> label_names;
  std::vector<std::string> ids;
  std::vector<RowUse> uses;
  std::vector<Digest> digests;  // [count], of each row's pixels

  const std::uint8_t* row(std::int64_t index) const {
    return pixels.data() + index * pixels_per_row;
  }
  std::uint8_t* bytes_of_row(std::int64_t index) { return pixels.data() + index * pixels_per_row; }
  float* floats_of_row(std::int64_t index) {
    return reinterpret_cast<float*>(pixels.data()) + index * pixels_per_row;
  }
  std::int32_t label(std::int64_t index) const {
    return labelled ? labels[static_cast<std::size_t>(index)] : 0;
  }
  // For the reader, right behind a row, while its pixels are in the cache.
  void add_digest_of(std::int64_t index) {
    const std::span pixels_of_row(row(index), static_cast<std::size_t>(pixels_per_row));
    digests.push_back(digest_of(std::as_bytes(pixels_of_row)));
  }
};

// Part `index` of `count` equal parts of a file.
struct FilePart {
  int index;
  int count;
};

}  // namespace lockstep
