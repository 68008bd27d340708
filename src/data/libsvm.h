// The text of LIBSVM's sets: "LABEL INDEX:VALUE INDEX:VALUE ...", indexes ascending, from 1 or
// from 0; what a row leaves out is 0. A line that begins with # is a comment, and so is what
// follows a # in a row.
//
// Any thread. Errors (2): "FILE:LINE:COLUMN: ...".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "data/row_lines.h"

namespace lockstep {

// No image has so many values; an index beyond it is a fault of the file.
inline constexpr std::int64_t kMostLibsvmIndex = 1 << 24;

struct LibsvmExtent {
  std::int64_t rows = 0;
  std::int64_t first_index = 1;  // 0 where a row has the index 0, else 1
  std::int64_t last_index = 0;   // the largest; below first_index where no row has a value
};

// Whether the first line that is no comment is such a row, with a value at least.
bool is_libsvm(std::string_view file);

// Looks at each row's first and last index alone.
LibsvmExtent measure_libsvm(std::string_view file, const std::string& name);

// The rows of a part. The first two outlive it.
class LibsvmRows {
 public:
  LibsvmRows(std::string_view file, const std::string& name, FilePart part);

  bool next() { return lines_.next(); }

  // The values of the row by index - first_index; `out` has one for each index there may be.
  void read(std::int64_t first_index, std::span<float> out) const;
  double label() const;
  // Of the label.
  std::string place() const { return place_in_text(name_, file_, lines_.byte()); }

 private:
  [[noreturn]] void fail(std::size_t at, std::string_view expected) const;

  std::string_view file_;
  const std::string& name_;
  RowLines lines_;
};

}  // namespace lockstep
