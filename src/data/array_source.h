// Rows from NumPy arrays: images in one, labels in another, perhaps twice and three times, for
// validation and test rows. Whose files they are in is a matter of those derived.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/array_images.h"
#include "data/source.h"

namespace lockstep {

struct ArraySplit {
  RowUse use = RowUse::kTraining;
  NpyArray images;
  std::optional<NpyArray> labels;
};

class ArraySource : public Source {
 public:
  const char* format() const override { return "NumPy"; }
  ImageShape shape(const DataOptions& options) const override;
  Look look(const DataOptions& options, Labels labels) const override;
  FileRows read(const DataOptions& options, Labels labels, FilePart part) const override;
  std::string place_of_label(const DataOptions& options, FilePart part,
                             std::int64_t index) const override;

 protected:
  struct Choice {
    std::vector<ArraySplit> splits;  // at least one; their rows follow each other
    DataOptions options;             // with the names of the arrays
    std::string found;
  };
  // Error (2): two choices are as likely, or there is no array of such a name.
  virtual Choice choose(const DataOptions& options, Labels labels) const = 0;
};

}  // namespace lockstep
