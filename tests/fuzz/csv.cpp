// The CSV parser against a simple one: the same rows, or an Error that names the line
// and column of the same fault, in however many parts the file is read.

#include <sanitizer/asan_interface.h>

#include <charconv>
#include <vector>

#include "data/source_format.h"
#include "fuzz/fuzz.h"

namespace lockstep::fuzz {

namespace {

constexpr int kClasses = 12;

struct Row {
  std::vector<std::uint8_t> pixels;
  std::int32_t label = 0;

  bool operator==(const Row&) const = default;
};

// Where the first fault is, from 1; no line where there is none, no column where it is
// a matter of the header.
struct Place {
  std::size_t line = 0;
  std::size_t column = 0;
};

struct Table {
  std::vector<Row> rows;
  Place fault;
};

// How an input is read; from its first byte.
struct Mode {
  DataOptions options;
  Labels labels;
  std::string header;  // goes before the rest of the input
};

Mode mode_of(std::uint8_t byte) {
  constexpr int kPixels[] = {1, 3, 37, 70};  // 32 and more: by blocks
  const int pixels = kPixels[byte & 3];
  Mode mode;
  mode.options.shape = {1, pixels, 1};
  mode.options.classes = kClasses;
  mode.labels = (byte & 4) != 0 ? Labels::kOptional : Labels::kRequired;
  if ((byte & 8) != 0) return mode;
  const int label = (byte >> 4 & 3) * pixels / 2;  // first, in the middle, last, none
  for (int i = 0; i <= pixels; ++i) {
    if (i == label) mode.header += "label,";
    if (i < pixels) mode.header += fmt::format("p{},", i);
  }
  mode.header.back() = '\n';
  return mode;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t first = 0; first <= text.size();) {
    const std::size_t end = std::min(text.find(separator, first), text.size());
    parts.push_back(text.substr(first, end - first));
    first = end + 1;
  }
  return parts;
}

// The number that a field stands for, or `limit` where it is not a number below it.
int number_of(std::string_view field, int limit) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  std::int64_t value = limit;
  if (std::all_of(field.begin(), field.end(), is_digit)) {
    std::from_chars(field.data(), field.data() + field.size(), value);
  }
  return static_cast<int>(std::min<std::int64_t>(value, limit));
}

// The column of the first fault of a row, 0 where there is none.
std::size_t read_row(std::string_view line, std::size_t columns, int label_column, Row& row) {
  if (line.empty()) return 1;
  std::size_t column = 1;
  const auto fields = split(line, ',');
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i >= columns) return column;
    const bool label = static_cast<int>(i) == label_column;
    const int limit = label ? kClasses : 256;
    const int value = number_of(fields[i], limit);
    if (value == limit) return column;
    if (label) {
      row.label = value;
    } else {
      row.pixels.push_back(static_cast<std::uint8_t>(value));
    }
    column += fields[i].size() + 1;
  }
  return fields.size() < columns ? line.size() + 1 : 0;
}

bool is_number(std::string_view field) {
  double value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  return error != std::errc::invalid_argument && end == field.data() + field.size();
}

// Whether the names of a header may be a row: all numbers, but not 0, 1, ... or 1, 2, ...; or
// whether two are the same.
bool are_odd(const std::vector<std::string_view>& names) {
  const int first = names[0] == "1" ? 1 : 0;
  bool numbers = true;
  bool counted = true;
  for (std::size_t i = 0; i < names.size(); ++i) {
    numbers = numbers && is_number(names[i]);
    counted = counted && names[i] == std::to_string(i + static_cast<std::size_t>(first));
    if (!names[i].empty() && std::count(names.begin(), names.end(), names[i]) > 1) return true;
  }
  return numbers && !counted;
}

Table read_simply(std::string_view text, const Mode& mode) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  text = text.substr(0, text.find_last_not_of("\r\n") + 1);
  auto lines = split(text, '\n');
  for (std::string_view& line : lines) {
    if (line.ends_with('\r')) line.remove_suffix(1);
  }
  const auto names = split(lines[0], ',');
  const auto label = std::find(names.begin(), names.end(), "label");
  const bool labelled = label != names.end();
  const auto columns = static_cast<std::size_t>(mode.options.shape.width) + (labelled ? 1 : 0);
  Table table;
  if (text.empty() || are_odd(names) || names.size() != columns ||
      lines[0].find('"') != std::string_view::npos ||
      (!labelled && mode.labels == Labels::kRequired)) {
    table.fault.line = 1;
  } else if (lines.size() == 1) {
    table.fault.line = 2;
  }
  const int label_column = labelled ? static_cast<int>(label - names.begin()) : -1;
  for (std::size_t i = 1; i < lines.size() && table.fault.line == 0; ++i) {
    Row row;
    const std::size_t column = read_row(lines[i], columns, label_column, row);
    if (column != 0) table.fault = {i + 1, column};
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::vector<Row> read_parts(const Source& source, const Mode& mode, int parts) {
  std::vector<Row> rows;
  for (int part = 0; part < parts; ++part) {
    const FileRows read = source.read(mode.options, mode.labels, {part, parts});
    for (std::int64_t i = 0; i < read.count; ++i) {
      const auto pixels = read.row(i).bytes();
      rows.push_back({{pixels.begin(), pixels.end()}, read.label(i)});
    }
  }
  return rows;
}

void expect_fault(const std::string& message, const std::string& file, Place fault) {
  std::string place = fmt::format("{}:{}:", file, fault.line);
  if (fault.column != 0) place += fmt::format("{}:", fault.column);
  if (!message.starts_with(place)) fail(fmt::format("expected {}, got {}", place, message));
}

void check(const Source& source, std::string_view text, const Mode& mode) {
  const Table expected = read_simply(text, mode);
  for (const int parts : {1, 3}) {
    std::string message;
    const auto rows = value_of([&] {
      try {
        return read_parts(source, mode, parts);
      } catch (const Error& error) {
        message = error.what();
        throw;
      }
    });
    if (rows.has_value() != (expected.fault.line == 0)) fail("accepted or refused: " + message);
    if (rows) {
      expect_equal(*rows, expected.rows, "rows");
    } else {
      expect_fault(message, source.name(), expected.fault);
    }
  }
}

// What lies between the end of a mapped file and of its last page may not be read.
class GuardedTail {
 public:
  explicit GuardedTail(std::string_view text)
      : end_(text.data() + text.size()), bytes_(-text.size() % 4096) {
    ASAN_POISON_MEMORY_REGION(end_, bytes_);
  }
  ~GuardedTail() { ASAN_UNPOISON_MEMORY_REGION(end_, bytes_); }
  GuardedTail(const GuardedTail&) = delete;
  GuardedTail& operator=(const GuardedTail&) = delete;

 private:
  const char* end_;
  std::size_t bytes_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Mode mode = mode_of(data[0]);
  const std::string content = mode.header + std::string(text_of(data + 1, size - 1));
  if (content.empty() || content.starts_with("PK\x03\x04") || content.starts_with("\x1f\x8b")) {
    return 0;  // empty, or not CSV: for the other targets
  }
  const auto comm = connect_self();
  auto texts = std::unique_ptr<SourceTexts>(
      new SourceTexts{SourceText(*comm, scratch_file("rows.csv", content), ""), std::nullopt});
  const std::string_view text = texts->images.text();
  const auto source = kCsv.open(std::move(texts));
  const GuardedTail guarded(text);
  check(*source, text, mode);
  return 0;
}

}  // namespace lockstep::fuzz
