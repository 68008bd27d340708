// What a TrainingData's summary says of all rows, counted rank by rank. Integer
// sums, so the same at every world size.
#pragma once

#include <cstdint>
#include <vector>

#include "data/file_rows.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/core/digest.h"
#include "lockstep/data/normalization.h"
#include "lockstep/data/options.h"

namespace lockstep {

class RowCensus {
 public:
  // For rows of values of `type`; options.range is known.
  RowCensus(const DataOptions& options, PixelType type);

  // Local: counts row `index` of `rows`.
  void add(const FileRows& rows, std::int64_t index, RowUse use);

  // Collective, once, after the last add: from here on the counts are those of
  // all ranks.
  void finish(Communicator& comm);

  // Local, after finish.
  std::vector<std::int64_t> class_counts(RowUse use) const;  // [classes]
  // By channel over the training rows; none unless normalization or augmentation needs them.
  // Floats are counted by the nearest of 65,536 steps of the options' range.
  std::vector<ValueCounts> value_counts() const;
  Digest digest() const;

 private:
  void add_digest(const FileRows& rows, std::int64_t index);
  void add_pixels(PixelView pixels);

  ImageShape shape_;
  std::size_t classes_;
  bool counts_values_;
  float first_;  // value counted first
  float step_;   // to the next
  std::size_t values_;
  // [2 * classes] class counts, [channels * values_] value counts, [4] digest words.
  std::vector<std::int64_t> sums_;
  Digest row_digests_;  // the sum of the rows' digests, each word mod 2^64
};

}  // namespace lockstep
