// Where each labelled row goes: the arithmetic of the deal that
// lockstep/data/training_data.h describes. Plain value; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/permutation.h"
#include "lockstep/core/share.h"
#include "lockstep/data/options.h"

namespace lockstep {

// How many rows of each class go to validation: round(fraction * rows) in all, by
// the largest remainder; of equal remainders the lower class gets the row.
std::vector<std::int64_t> validation_counts(std::span<const std::int64_t> class_counts,
                                            double fraction);

class Deal {
 public:
  // `class_counts` are those of all ranks.
  Deal(std::span<const std::int64_t> class_counts, const ValidationOptions& validation,
       std::uint64_t seed);

  // Without stratification all rows are dealt as one group.
  std::size_t groups() const { return permutations_.size(); }
  std::size_t group_of(std::int32_t label) const {
    return groups() == 1 ? 0 : static_cast<std::size_t>(label);
  }

  std::int64_t training_rows() const { return training_rows_; }
  std::int64_t validation_rows() const { return validation_rows_; }

  // The training positions of rows `rows` of their group in file order; below 0 for
  // those of the validation split.
  std::vector<std::int64_t> positions(std::size_t group, Range rows) const;

 private:
  std::vector<Permutation> permutations_;        // [groups]
  std::vector<std::int64_t> validation_counts_;  // [groups]
  std::vector<std::int64_t> offsets_;            // [groups], from place to position
  std::int64_t training_rows_ = 0;
  std::int64_t validation_rows_ = 0;
};

}  // namespace lockstep
