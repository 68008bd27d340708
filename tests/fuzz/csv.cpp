// CSV of any dialect: what is found of a file, told as settings, gives the same again; and the
// parser against a simple one: the same rows, or an Error that names the line and column of
// the same fault, in however many parts the file is read.

#include <sanitizer/asan_interface.h>

#include <charconv>
#include <cmath>
#include <vector>

#include "data/csv_look.h"
#include "data/csv_rows.h"
#include "fuzz/fuzz.h"
#include "lockstep/core/files.h"

namespace lockstep::fuzz {

namespace {

const std::string kName = "rows.csv";

struct Row {
  std::vector<float> pixels;
  std::string label;

  bool operator==(const Row&) const = default;
};

// Where the first fault is, from 1; no line where there is none.
struct Place {
  std::size_t line = 0;
  std::size_t column = 0;
};

struct Table {
  std::vector<Row> rows;
  Place fault;
};

// How an input is read; from its first two bytes.
struct Mode {
  CsvOptions csv;
  std::optional<ImageShape> shape;
  Labels labels = Labels::kRequired;
  std::string header;  // goes before the rest of the input
};

Mode mode_of(std::uint8_t byte, std::uint8_t more) {
  constexpr int kPixels[] = {1, 3, 37, 70};  // 32 and more: by blocks
  const int pixels = kPixels[byte & 3];
  Mode mode;
  if ((more & 1) == 0) mode.shape = {1, pixels, 1};
  mode.labels = (byte & 4) != 0 ? Labels::kOptional : Labels::kRequired;
  mode.csv.header = static_cast<Header>((more >> 1) % 3);
  mode.csv.pixels = static_cast<PixelKind>((more >> 3) % 3);
  mode.csv.label_kind = static_cast<LabelKind>((more >> 5) % 4);
  if ((more & 0x80) != 0) mode.csv.label = "LAST";
  if ((byte & 8) != 0) return mode;
  const char separator = ",;\t "[byte >> 6];
  const int label = (byte >> 4 & 3) * pixels / 2;  // first, in the middle, last, none
  for (int i = 0; i <= pixels; ++i) {
    if (i == label) mode.header += fmt::format("label{}", separator);
    if (i < pixels) mode.header += fmt::format("p{}{}", i, separator);
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

// Whether the simple reader knows such files: those without quotes, blanks that count and
// labels of several columns.
bool is_simple(std::string_view text, const CsvReading& reading) {
  const bool one_hot = reading.has(CsvRole::kOneHot) || reading.has(CsvRole::kPixelList);
  return text.find_first_of("\" \t") == std::string_view::npos && !one_hot;
}

// A whole number, of any number of digits.
bool is_byte(std::string_view field, float& value) {
  std::size_t number = 0;
  if (field.empty()) return false;
  for (const char c : field) {
    if (c < '0' || c > '9') return false;
    number = std::min<std::size_t>(10 * number + static_cast<std::size_t>(c - '0'), 1000);
  }
  value = static_cast<float>(number);
  return number < 256;
}

bool is_whole(std::string_view field, std::string& label) {
  double value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size()) return false;
  label = fmt::format("{:.0f}", value == 0 ? 0 : value);
  return std::abs(value) <= 2147483647 && value == std::floor(value);
}

// Whether the field is one that such a column may have.
bool take(std::string_view field, CsvRole role, const CsvReading& reading, Row& row) {
  if (role == CsvRole::kPixels) {
    float value = 0;
    if (reading.pixel_kind == PixelKind::kWhole) {
      if (!is_byte(field, value)) return false;
    } else {
      const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
      double wide = 1;
      std::from_chars(field.data(), field.data() + field.size(), wide);
      const bool tiny = error == std::errc::result_out_of_range && std::abs(wide) < 1;
      if (tiny) value = static_cast<float>(wide);
      if ((error != std::errc() && !tiny) || end != field.data() + field.size()) return false;
      if (!std::isfinite(value)) return false;
    }
    row.pixels.push_back(value);
    return true;
  }
  if (role != CsvRole::kLabel) return true;
  if (reading.label_kind == LabelKind::kNumber) return is_whole(field, row.label);
  row.label = field;
  return !field.empty();
}

// The column of the first fault of a row, 0 where there is none.
std::size_t read_row(std::string_view line, const CsvReading& reading, Row& row) {
  if (line.empty()) return 1;
  std::vector<CsvRole> roles;
  for (const CsvRun& run : reading.runs) {
    roles.insert(roles.end(), static_cast<std::size_t>(run.columns), run.role);
  }
  std::size_t column = 1;
  const auto fields = split(line, reading.separator);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i >= roles.size()) return column;
    if (!take(fields[i], roles[i], reading, row)) return column;
    column += fields[i].size() + 1;
  }
  return fields.size() < roles.size() ? line.size() + 1 : 0;
}

Table read_simply(std::string_view text, const CsvReading& reading) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  text = text.substr(0, text.find_last_not_of("\r\n") + 1);
  auto lines = split(text, '\n');
  Table table;
  for (std::size_t i = reading.header == Header::kYes ? 1 : 0; i < lines.size(); ++i) {
    if (lines[i].ends_with('\r')) lines[i].remove_suffix(1);
    Row row;
    const std::size_t column = read_row(lines[i], reading, row);
    if (column != 0) {
      table.fault = {i + 1, column};
      break;
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::vector<Row> read_parts(const CsvFile& file, const ImageShape& shape, int parts) {
  std::vector<Row> rows;
  for (int part = 0; part < parts; ++part) {
    const FileRows read = read_csv_rows(file, shape, {part, parts});
    if (read.count > 0 && read.labelled) csv_label_place(file, {part, parts}, read.count - 1);
    for (std::int64_t i = 0; i < read.count; ++i) {
      Row row;
      const PixelView pixels = read.row(i);
      for (std::size_t p = 0; p < pixels.count; ++p) {
        row.pixels.push_back(pixels.type == PixelType::kByte ? pixels.bytes()[p]
                                                             : pixels.floats()[p]);
      }
      const std::int32_t label = read.label(i);
      if (read.labelled) {
        row.label = read.label_names.empty() ? std::to_string(label)
                                             : read.label_names[static_cast<std::size_t>(label)];
      }
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

void check_rows(std::string_view text, const CsvReading& reading) {
  const CsvFile file = {csv_content(text, kName), kName, reading, 0};
  std::string messages[2];
  std::optional<std::vector<Row>> rows[2];
  for (const int way : {0, 1}) {
    rows[way] = value_of([&] {
      try {
        return read_parts(file, {1, reading.pixels, 1}, way == 0 ? 1 : 3);
      } catch (const Error& error) {
        messages[way] = error.what();
        throw;
      }
    });
  }
  expect_equal(rows[0], rows[1], "rows in one part and in three");
  expect_equal(messages[0], messages[1], "faults in one part and in three");
  if (!is_simple(text, reading)) return;
  const Table expected = read_simply(text, reading);
  if (rows[0].has_value() != (expected.fault.line == 0)) {
    fail("accepted or refused: " + messages[0]);
  }
  if (rows[0]) return expect_equal(*rows[0], expected.rows, "rows");
  const std::string place =
      fmt::format("{}:{}:{}:", kName, expected.fault.line, expected.fault.column);
  if (!messages[0].starts_with(place)) fail(fmt::format("expected {}, got {}", place, messages[0]));
}

void check(std::string_view text, const Mode& mode) {
  const std::string label_column = "label";
  const auto look = [&](const CsvOptions& csv) {
    return value_of([&] {
      return look_at_csv({text, kName, csv, label_column, mode.shape, mode.labels});
    });
  };
  const auto found = look(mode.csv);
  if (!found) return;
  if (mode.shape) {  // as it is whenever rows are read
    const auto again = look(found->options);
    if (!again) fail("what was found is refused: " + found->said);
    expect_equal(again->said, found->said, "what is found twice");
  }
  check_rows(text, found->reading);
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
  if (size < 2) return 0;
  const Mode mode = mode_of(data[0], data[1]);
  const std::string content = mode.header + std::string(text_of(data + 2, size - 2));
  if (content.empty()) return 0;
  const MappedFile file(scratch_file("rows.csv", content));
  const GuardedTail guarded(file.text());
  check(file.text(), mode);
  return 0;
}

}  // namespace lockstep::fuzz
