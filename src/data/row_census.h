// What a TrainingData's summary says of all rows, counted rank by rank. Integer
// sums, so the same at every world size.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "data/file_rows.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/core/digest.h"
#include "lockstep/data/options.h"

namespace lockstep {

enum class Split { kTraining, kValidation };

class RowCensus {
 public:
  explicit RowCensus(const DataOptions& options);

  // Local: counts row `index` of `rows`.
  void add(const FileRows& rows, std::int64_t index, Split split);

  // Collective, once, after the last add: from here on the counts are those of
  // all ranks.
  void finish(Communicator& comm);

  // Local, after finish.
  std::vector<std::int64_t> class_counts(Split split) const;  // [classes]
  // [channels][pixel value] over the training rows; zeros unless the options'
  // normalization needs them.
  std::vector<std::array<std::int64_t, 256>> pixel_counts() const;
  Digest digest() const;

 private:
  void add_digest(const FileRows& rows, std::int64_t index);
  void add_pixels(const std::uint8_t* pixels);

  ImageShape shape_;
  std::size_t classes_;
  NormalizationKind normalization_;
  // [2 * classes] class counts, [channels * 256] pixel counts, [4] digest words.
  std::vector<std::int64_t> sums_;
  Digest row_digests_;  // the sum of the rows' digests, each word mod 2^64
};

}  // namespace lockstep
