// The text of a CSV file: its lines, their fields, and what a field stands for. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/file_rows.h"

namespace lockstep {

struct CsvContent {
  std::string_view text;  // without its byte order mark
  std::size_t last = 0;   // one past the last byte that ends no line
};

// Error (2): the file is empty.
CsvContent csv_content(std::string_view file, const std::string& name);

// The line at `first`, without its end.
std::string_view csv_line_at(std::string_view text, std::size_t first);

// The fields of `line`, as they stand, with their quotes and the blanks around them. A
// separator between quotes is none; of a separator ' ', any number makes one, and those
// that begin or end the line none.
void split_csv_line(std::string_view line, char separator, std::vector<std::string_view>& fields);

// How many fields it has.
std::size_t csv_width(std::string_view line, char separator);

// One past the field at `text`, of a line that ends at or before `end`.
const char* csv_field_end(const char* text, const char* end, char separator);

std::string_view without_blanks(std::string_view text);

// A field without the blanks around it, and without its quotes; two quotes in them stay two.
std::string_view bare_field(std::string_view field);

// The same with one quote for two.
std::string field_text(std::string_view field);

// A quote is not closed in the field, or something follows it.
enum class Quoting { kNone, kWhole, kTorn };
Quoting quoting_of(std::string_view field);

// Of a bare field: a finite number, a whole number that fits.
std::optional<double> number_of(std::string_view field);
std::optional<std::int32_t> whole_number_of(std::string_view field);

// What a row is for, by the words of known sets, such as Training, PublicTest and val.
std::optional<RowUse> row_use_of(std::string_view field);

// The beginning of a field in quotes, cut between characters.
std::string shown_field(std::string_view field);

}  // namespace lockstep
