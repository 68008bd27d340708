#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "data/csv_row_parser.h"
#include "data/csv_rows.h"
#include "lockstep/core/error.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

constexpr std::string_view kDigits = "0123456789";

std::string expected_of(CsvRole role, const CsvFile& file) {
  const CsvReading& reading = file.reading;
  switch (role) {
    case CsvRole::kPixels:
    case CsvRole::kPixelList:
      return reading.pixel_kind == PixelKind::kReal ? "a number" : "a pixel from 0 to 255";
    case CsvRole::kLabel:
      if (reading.label_kind == LabelKind::kText) return "a label";
      return file.classes > 0 ? fmt::format("a label from 0 to {}", file.classes - 1)
                              : "a label that is a whole number";
    case CsvRole::kOneHot:
      return "0 or 1, and one 1 in all columns of the label";
    case CsvRole::kId:
      return "an id";
    case CsvRole::kUse:
      return "a word such as Training, PublicTest, val or test";
    case CsvRole::kIgnored:
      return "a field";
  }
  return "";
}

// What is wrong with a bare field that should be a pixel, or an empty string.
std::string fault_of_pixel(std::string_view field, PixelKind kind) {
  if (kind == PixelKind::kReal) {
    float value = 0;
    return take_pixel(field, value) ? "" : fmt::format("{} is not a number", shown_field(field));
  }
  std::uint8_t byte = 0;
  if (take_pixel(field, byte)) return "";
  const bool negative = field.front() == '-' && field.size() > 1;
  const bool digits = field.substr(negative ? 1 : 0).find_first_not_of(kDigits) == field.npos;
  return fmt::format("{} is {}", shown_field(field),
                     digits ? "out of range" : "not a whole number");
}

std::string fault_of_list(std::string_view field, const CsvReading& reading) {
  std::vector<std::string_view> numbers;
  split_csv_line(field, ' ', numbers);
  for (const std::string_view number : numbers) {
    const std::string fault = fault_of_pixel(number, reading.pixel_kind);
    if (!fault.empty()) return fault;
  }
  if (static_cast<int>(numbers.size()) == reading.pixels) return "";
  return fmt::format("{}, not {}", count_of(numbers.size(), "number"), reading.pixels);
}

std::string fault_of_label(std::string_view field, LabelKind kind) {
  if (kind == LabelKind::kText || whole_number_of(field)) return "";
  const bool whole = field.find_first_not_of(kDigits, field.front() == '-') == field.npos;
  return fmt::format("{} is {}", shown_field(field), whole ? "out of range" : "not a whole number");
}

// What is wrong with a field as it stands, or an empty string.
std::string fault_of(std::string_view field, CsvRole role, const CsvReading& reading) {
  const bool number = role == CsvRole::kPixels || role == CsvRole::kOneHot ||
                      (role == CsvRole::kLabel && reading.label_kind == LabelKind::kNumber);
  const std::string_view bare = bare_field(field);
  if (quoting_of(field) == Quoting::kTorn) {
    return fmt::format("{} has a quote that is not closed in its line, or text beside one",
                       shown_field(field));
  }
  const bool may_be_empty = role == CsvRole::kIgnored || role == CsvRole::kId;
  if (bare.empty() && without_blanks(field).size() == field.size()) {
    return may_be_empty ? "" : "empty field";
  }
  if (number && !reading.padded && without_blanks(field).size() != field.size()) {
    return fmt::format("{} contains a space", shown_field(field));
  }
  if (bare.empty()) return may_be_empty ? "" : "empty field";
  if (number && bare.find(' ') != bare.npos) {
    return fmt::format("{} contains a space", shown_field(field));
  }
  switch (role) {
    case CsvRole::kPixels:
      return fault_of_pixel(bare, reading.pixel_kind);
    case CsvRole::kPixelList:
      return fault_of_list(bare, reading);
    case CsvRole::kLabel:
      return fault_of_label(bare, reading.label_kind);
    case CsvRole::kOneHot: {
      const auto value = number_of(bare);
      return value && (*value == 0 || *value == 1)
                 ? ""
                 : fmt::format("{} is neither 0 nor 1", shown_field(field));
    }
    case CsvRole::kUse:
      return row_use_of(field) ? "" : fmt::format("{} is no such word", shown_field(field));
    default:
      return "";
  }
}

// The role of each column.
std::vector<CsvRole> roles_of(const CsvReading& reading) {
  std::vector<CsvRole> roles;
  for (const CsvRun& run : reading.runs) {
    roles.insert(roles.end(), static_cast<std::size_t>(run.columns), run.role);
  }
  return roles;
}

}  // namespace

std::string csv_column_name(const CsvReading& reading, std::size_t column) {
  if (reading.names.empty() || reading.names[column].empty()) {
    return fmt::format("column {}", column + 1);
  }
  return fmt::format("column \"{}\"", reading.names[column]);
}

void fail_csv_row(const CsvFile& file, std::size_t row) {
  const CsvReading& reading = file.reading;
  const std::string_view text = file.content.text.substr(0, file.content.last);
  const auto line_number =
      1 + std::count(text.begin(), text.begin() + static_cast<long>(row), '\n');
  const std::string_view line = csv_line_at(text, row);
  const char* const source = reading.names.empty() ? "in most lines" : "in the header";
  const auto wanted = static_cast<std::size_t>(reading.columns);
  if (without_blanks(line).empty()) {
    fail_usage("{}:{}:1: blank line; expected {}", file.name, line_number,
               count_of(wanted, "column"));
  }
  std::vector<std::string_view> fields;
  split_csv_line(line, reading.separator, fields);
  const std::vector<CsvRole> roles = roles_of(reading);
  int ones = 0;
  for (std::size_t i = 0; i < fields.size() && i < wanted; ++i) {
    const std::string fault = fault_of(fields[i], roles[i], reading);
    const bool one = roles[i] == CsvRole::kOneHot && number_of(bare_field(fields[i])) == 1.0;
    if (one) ++ones;
    if (fault.empty() && ones < 2) continue;
    fail_usage("{}:{}:{}: {}: {}; expected {}", file.name, line_number,
               fields[i].data() - line.data() + 1, csv_column_name(reading, i),
               fault.empty() ? "a second 1" : fault, expected_of(roles[i], file));
  }
  if (fields.size() == wanted) {
    const int column = reading.column_of(CsvRole::kOneHot);
    if (column < 0 || ones > 0) {
      fail_internal("{}:{}:1: row refused without a fault", file.name, line_number);
    }
    const auto at = static_cast<std::size_t>(column);
    fail_usage("{}:{}:{}: {}: no 1; expected {}", file.name, line_number,
               fields[at].data() - line.data() + 1, csv_column_name(reading, at),
               expected_of(CsvRole::kOneHot, file));
  }
  const bool fewer = fields.size() < wanted;
  const std::size_t column =
      fewer ? line.size() + 1 : static_cast<std::size_t>(fields[wanted].data() - line.data()) + 1;
  const std::size_t at = fewer ? fields.size() : wanted - 1;
  const std::string name =
      reading.names.empty() ? fmt::format("column {}", at + 1) : shown_field(reading.names[at]);
  fail_usage("{}:{}:{}: {}, {} {}; expected {}, as {}", file.name, line_number, column,
             count_of(fields.size(), "column"), fewer ? "without" : "beyond", name, wanted, source);
}

}  // namespace lockstep
