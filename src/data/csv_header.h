// The header line of a CSV source and what follows from it. Plain values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lockstep/data/options.h"
#include "lockstep/data/row_share.h"

namespace lockstep {

struct CsvHeader {
  std::string_view text;           // the whole file without its byte order mark
  std::vector<std::string> names;  // of all columns
  int label_column = -1;           // in names; -1 for unlabelled rows
  std::size_t body_first = 0;      // byte of `text` at which the first row starts
  std::size_t body_last = 0;       // one past the last row's last field

  int columns() const { return static_cast<int>(names.size()); }
};

// Any thread. Error (2): an empty file, no rows, no label column though it is
// required, another number of pixel columns than `options.shape` has.
CsvHeader parse_csv_header(std::string_view file, const std::string& name,
                           const DataOptions& options, Labels labels);

// How many columns the header has beside `label_column`. Any thread. Error (2): an
// empty file.
int csv_pixel_columns(std::string_view file, const std::string& name,
                      const std::string& label_column);

// Throws the Error (2) that says what is wrong with the row at byte `row` of the
// text, its line and its column.
[[noreturn]] void fail_csv_row(const CsvHeader& header, const std::string& name,
                               const DataOptions& options, std::size_t row);

}  // namespace lockstep
