#include "data/csv_header.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <unordered_map>

#include "lockstep/core/error.h"
#include "lockstep/core/names.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kMostShown = 40;  // bytes of a bad field in a message
constexpr std::string_view kDigits = "0123456789";

// The line at `first`, without its end.
std::string_view line_at(std::string_view text, std::size_t first) {
  std::string_view line = text.substr(first, text.find('\n', first) - first);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::vector<std::string_view> split_fields(std::string_view line) {
  std::vector<std::string_view> fields;
  std::size_t first = 0;
  for (;;) {
    const std::size_t comma = line.find(',', first);
    fields.push_back(line.substr(first, comma - first));
    if (comma == std::string_view::npos) return fields;
    first = comma + 1;
  }
}

// The beginning of a field, cut between characters.
std::string shown(std::string_view field) {
  std::size_t end = std::min(field.size(), kMostShown);
  while (end < field.size() && (static_cast<unsigned char>(field[end]) & 0xC0U) == 0x80U) --end;
  return fmt::format("\"{}{}\"", field.substr(0, end), end < field.size() ? "..." : "");
}

bool is_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error != std::errc::invalid_argument && end == text.data() + text.size();
}

// Names 0, 1, 2, ... or 1, 2, 3, ..., as of columns that had none.
bool are_counted(const std::vector<std::string>& names) {
  const int first = names.front() == "1" ? 1 : 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] != fmt::format("{}", i + static_cast<std::size_t>(first))) return false;
  }
  return true;
}

// A first row that is taken for a header would be lost without a word.
void check_names(const std::vector<std::string>& names, const std::string& file) {
  if (std::all_of(names.begin(), names.end(), is_number) && !are_counted(names)) {
    fail_usage(
        "{}:1:1: the names in the header are all numbers ({}, ...), as if it were a row; put a "
        "line "
        "of names before it, with the label's as data.label_column",
        file, shown(names.front()));
  }
  std::unordered_map<std::string_view, std::size_t> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto [first, is_new] = seen.emplace(names[i], i);
    if (is_new || names[i].empty()) continue;
    fail_usage("{}:1:1: columns {} and {} of the header have one name, {}; expected distinct names",
               file, first->second + 1, i + 1, shown(names[i]));
  }
}

void check_header(const CsvHeader& header, const std::string& name, const DataOptions& options,
                  Labels labels) {
  check_names(header.names, name);
  const int pixels = options.shape.pixels();
  const bool labelled = header.label_column >= 0;
  if (!labelled && labels == Labels::kRequired) {
    fail_usage("{}:1:1: no column \"{}\" in the header{}; its first of {} is {}", name,
               options.label_column, did_you_mean(options.label_column, header.names),
               count_of(header.columns(), "column"), shown(header.names.front()));
  }
  const int found = header.columns() - (labelled ? 1 : 0);
  if (found == pixels) return;
  fail_usage("{}:1:1: {} {} column \"{}\"; expected {} for images of {}x{}x{}", name,
             count_of(found, "pixel column"), labelled ? "besides" : "and no", options.label_column,
             pixels, options.shape.height, options.shape.width, options.shape.channels);
}

// What is wrong with one field, or an empty string.
std::string fault_of(std::string_view field, int largest, std::string_view kind) {
  if (field.empty()) return fmt::format("empty field; expected a {}", kind);
  if (field.find('"') != std::string_view::npos) {
    return fmt::format("quoted field {}; expected a bare {}", shown(field), kind);
  }
  if (field.find_first_of(" \t") != std::string_view::npos) {
    return fmt::format("{} contains a space; expected a {}", shown(field), kind);
  }
  const bool negative = field.front() == '-' && field.size() > 1;
  const std::string_view digits = field.substr(negative ? 1 : 0);
  if (digits.find_first_not_of(kDigits) != std::string_view::npos) {
    return fmt::format("{} is not a whole number; expected a {}", shown(field), kind);
  }
  std::int64_t value = 0;
  const auto [end, overflow] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool above = overflow != std::errc() || value > largest;
  if (!negative && !above) return {};
  return fmt::format("{} is out of range; expected a {}", shown(field), kind);
}

// The file without its byte order mark; `last` gets its last byte that ends no line.
std::string_view content_of(std::string_view file, const std::string& name, std::size_t& last) {
  if (file.starts_with(kByteOrderMark)) file.remove_prefix(kByteOrderMark.size());
  last = file.find_last_not_of("\r\n");
  if (last != std::string_view::npos) return file;
  fail_usage("{}:1:1: the file is empty; expected a header line and rows", name);
}

// Of 65,536 columns and more, and no file without lines.
void check_length(std::string_view header, const std::string& name) {
  constexpr std::size_t kMostBytes = 64 << 20;
  if (header.size() <= kMostBytes) return;
  fail_usage("{}:1:1: the first line has {} bytes; expected a header of at most {}", name,
             header.size(), kMostBytes);
}

}  // namespace

CsvHeader parse_csv_header(std::string_view file, const std::string& name,
                           const DataOptions& options, Labels labels) {
  CsvHeader header;
  std::size_t last = 0;
  header.text = content_of(file, name, last);
  header.body_last = last + 1;
  const std::string_view line = line_at(header.text, 0);
  check_length(line, name);
  for (const std::string_view field : split_fields(line)) header.names.emplace_back(field);
  const std::size_t quote = line.find('"');
  if (quote != std::string_view::npos) {
    fail_usage("{}:1:{}: quoted field in the header; expected bare column names", name, quote + 1);
  }
  const auto found = std::find(header.names.begin(), header.names.end(), options.label_column);
  if (found != header.names.end()) {
    header.label_column = static_cast<int>(found - header.names.begin());
  }
  check_header(header, name, options, labels);
  header.body_first = std::min(header.text.find('\n'), header.body_last);
  if (header.body_first == header.body_last) {
    fail_usage("{}:2:1: no row follows the header; expected at least one", name);
  }
  ++header.body_first;
  return header;
}

int csv_pixel_columns(std::string_view file, const std::string& name,
                      const std::string& label_column) {
  std::size_t last = 0;
  const std::string_view line = line_at(content_of(file, name, last), 0);
  check_length(line, name);
  const auto fields = split_fields(line);
  const auto labels = std::count(fields.begin(), fields.end(), std::string_view(label_column));
  return static_cast<int>(fields.size()) - (labels > 0 ? 1 : 0);
}

void fail_csv_row(const CsvHeader& header, const std::string& name, const DataOptions& options,
                  std::size_t row) {
  const auto row_place = header.text.begin() + static_cast<std::ptrdiff_t>(row);
  const auto line_number = 1 + std::count(header.text.begin(), row_place, '\n');
  const std::string_view line = line_at(header.text.substr(0, header.body_last), row);
  if (line.empty()) {
    fail_usage("{}:{}:1: blank line; expected {}", name, line_number,
               count_of(header.columns(), "column"));
  }
  const std::vector<std::string_view> fields = split_fields(line);
  constexpr int kLargestPixel = 255;
  const int largest_label = (options.classes > 0 ? options.classes : 65536) - 1;
  const std::string label_kind = fmt::format("label from 0 to {}", largest_label);
  for (std::size_t i = 0; i < fields.size() && i < header.names.size(); ++i) {
    const bool label = static_cast<int>(i) == header.label_column;
    const std::string fault = label ? fault_of(fields[i], largest_label, label_kind)
                                    : fault_of(fields[i], kLargestPixel, "pixel from 0 to 255");
    if (fault.empty()) continue;
    fail_usage("{}:{}:{}: column \"{}\": {}", name, line_number, fields[i].data() - line.data() + 1,
               header.names[i], fault);
  }
  if (fields.size() == header.names.size()) {
    fail_internal("{}:{}:1: row refused without a fault", name, line_number);
  }
  const bool fewer = fields.size() < header.names.size();
  const std::size_t column =
      fewer ? line.size() + 1
            : static_cast<std::size_t>(fields[header.names.size()].data() - line.data()) + 1;
  fail_usage("{}:{}:{}: {}, {} \"{}\"; expected {}, as in the header", name, line_number, column,
             count_of(fields.size(), "column"), fewer ? "without" : "beyond",
             fewer ? header.names[fields.size()] : header.names.back(), header.columns());
}

}  // namespace lockstep
