// The rows of a CSV file whose reading is known. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "data/csv_reading.h"
#include "data/csv_text.h"
#include "data/file_rows.h"
#include "lockstep/core/batch.h"

namespace lockstep {

// A CSV file that is open.
struct CsvFile {
  CsvContent content;
  const std::string& name;  // for errors
  const CsvReading& reading;
  int classes;  // that are expected; 0: any
};

// The rows that start in `part` of the bytes, their pixels in the order of `shape`. Error (2):
// FILE:LINE:COLUMN: what was seen and expected, of the first bad row of the part (columns
// count bytes from 1).
FileRows read_csv_rows(const CsvFile& file, const ImageShape& shape, FilePart part);

// How many rows the file has, and how many of them are before those of `part`.
std::int64_t csv_row_count(const CsvFile& file);
std::int64_t first_csv_row(const CsvFile& file, FilePart part);

// FILE:LINE:COLUMN and the column of the label of row `index` of a part that could be read.
std::string csv_label_place(const CsvFile& file, FilePart part, std::int64_t index);

// A column for messages: by its name, or counted from 1.
std::string csv_column_name(const CsvReading& reading, std::size_t column);

// Throws the Error (2) that says what is wrong with the row at byte `row` of the text, its
// line and its column.
[[noreturn]] void fail_csv_row(const CsvFile& file, std::size_t row);

}  // namespace lockstep
