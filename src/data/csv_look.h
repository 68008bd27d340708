// Finds out how a CSV file is written by looking at some of its lines. What is said of it
// counts before what is found. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "data/csv_reading.h"
#include "lockstep/core/batch.h"
#include "lockstep/data/options.h"
#include "lockstep/data/row_share.h"

namespace lockstep {

struct CsvQuestion {
  std::string_view text;    // the whole file
  const std::string& name;  // of the file, for errors
  const CsvOptions& csv;
  const std::string& label_column;  // counts where csv.label is empty
  std::optional<ImageShape> shape;  // unknown: to be guessed from the columns
  Labels labels;
};

struct CsvFound {
  CsvReading reading;
  CsvOptions options;  // that give this reading again
  std::string said;    // in words, such as "no header; label: first column; pixels 0 to 255"
};

// Errors (2), of place FILE:LINE:COLUMN: an empty file, no rows, no label column though it is
// required, other pixels than the shape has, two readings that are as likely.
CsvFound look_at_csv(const CsvQuestion& question);

}  // namespace lockstep
