#include "data/csv_sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

// Of the beginning, and as much of the rest; few lines are taken whatever they measure. These
// few decide what a later look at the beginning alone must find again.
constexpr std::size_t kMostBytes = 192 << 10;
constexpr std::size_t kMostLines = 500;
constexpr std::size_t kFewestLines = 16;
constexpr std::size_t kMostBytesOfFew = 8 << 20;

constexpr std::string_view kSeparators = ",;\t ";

std::string said(char separator) {
  return separator == '\t' ? "tabs" : separator == ' ' ? "blanks" : fmt::format("'{}'", separator);
}

// Of 65,536 columns and more, and no file without lines.
std::string_view checked(std::string_view line, const std::string& name) {
  constexpr std::size_t kMostOfLine = 64 << 20;
  if (line.size() <= kMostOfLine) return line;
  fail_usage("{}:1:1: a line of {} bytes; expected at most {}", name, line.size(), kMostOfLine);
}

bool is_enough(std::size_t lines, std::size_t bytes, Extent extent) {
  if (extent == Extent::kBeginning && lines >= kFewestLines) return true;
  return lines >= kMostLines || bytes >= kMostBytesOfFew ||
         (lines >= kFewestLines && bytes >= kMostBytes);
}

void take(std::string_view line, std::vector<std::string_view>& lines) {
  if (!without_blanks(line).empty()) lines.push_back(line);
}

// Lines at even distances from `at` on.
void take_spread(std::string_view text, std::size_t at, std::size_t line_bytes, CsvSample& sample) {
  const std::size_t count = std::clamp(kMostBytes / line_bytes, kFewestLines, kMostLines);
  const std::size_t reach = kMostBytes + 4 * line_bytes;  // for the start of a line
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count && bytes < kMostBytesOfFew; ++i) {
    const std::size_t cut = at + (text.size() - at) / (2 * count) * (2 * i + 1);
    const std::size_t line_end = text.substr(cut, reach).find('\n');
    if (line_end == std::string_view::npos || cut + line_end + 1 >= text.size()) continue;
    const std::string_view line = csv_line_at(text, cut + line_end + 1);
    const std::string_view before = sample.lines.empty() ? sample.first : sample.lines.back();
    if (line.data() <= before.data() || line.size() > reach) continue;
    take(line, sample.lines);
    bytes += line.size();
  }
}

void take_lines(const CsvContent& content, const std::string& name, Extent extent,
                CsvSample& sample) {
  const std::string_view text = content.text.substr(0, content.last);
  sample.first = checked(csv_line_at(text, 0), name);
  std::size_t at = std::min(text.find('\n'), text.size() - 1) + 1;
  std::size_t bytes = 0;
  while (at < text.size() && !is_enough(sample.lines.size(), bytes, extent)) {
    const std::size_t line_end = std::min(text.find('\n', at), text.size());
    take(checked(csv_line_at(text, at), name), sample.lines);
    bytes += line_end + 1 - at;
    at = line_end + 1;
  }
  sample.leading = sample.lines.size();
  if (at < text.size() && sample.leading > 0 && extent == Extent::kUsual) {
    take_spread(text, at, bytes / sample.leading + 1, sample);
  }
}

// The number of fields that most lines have.
struct Width {
  int fields = 0;
  int lines = 0;
};

Width usual_width(const std::vector<std::string_view>& lines, char separator) {
  std::map<std::size_t, int> counts;
  for (const std::string_view line : lines) ++counts[csv_width(line, separator)];
  Width usual;
  for (const auto& [size, count] : counts) {
    if (count > usual.lines) usual = {static_cast<int>(size), count};
  }
  return usual;
}

// How many fields of the first lines are numbers.
int numbers_of(const std::vector<std::string_view>& lines, char separator) {
  constexpr std::size_t kLines = 8;
  int numbers = 0;
  std::vector<std::string_view> fields;
  for (std::size_t i = 0; i < std::min(lines.size(), kLines); ++i) {
    split_csv_line(lines[i], separator, fields);
    for (const std::string_view field : fields) {
      const FieldKind kind = field_kind_of(field);
      if (kind == FieldKind::kByte || kind == FieldKind::kNumber) ++numbers;
    }
  }
  return numbers;
}

char find_separator(const CsvSample& sample, const std::string& name) {
  constexpr std::size_t kLines = 20;
  std::vector<std::string_view> lines = sample.lines;
  if (lines.empty()) lines = {sample.first};
  if (lines.size() > kLines) lines.resize(kLines);
  std::optional<char> best;
  int most = -1;
  for (const char separator : kSeparators) {
    // Blanks are in texts and lists of pixels too.
    if (separator == ' ' && best) break;
    const Width width = usual_width(lines, separator);
    if (width.fields < 2 || 2 * width.lines <= static_cast<int>(lines.size())) continue;
    const int numbers = numbers_of(lines, separator);
    if (best && numbers == most) {
      fail_usage("{}:1:1: the fields may be separated by {} or {}; set data.csv.separator", name,
                 said(*best), said(separator));
    }
    if (numbers < most) continue;
    best = separator;
    most = numbers;
  }
  return best.value_or(',');
}

char given_separator(const std::string& separator) {
  if (separator.size() == 1 && kSeparators.find(separator) != std::string_view::npos) {
    return separator.front();
  }
  fail_usage("data.csv.separator: {}; expected \",\", \";\", a tab or a blank",
             shown_field(separator));
}

void count(FieldKind kind, KindCounts& counts) {
  switch (kind) {
    case FieldKind::kByte:
      ++counts.bytes;
      return;
    case FieldKind::kNumber:
      ++counts.numbers;
      return;
    case FieldKind::kList:
      ++counts.lists;
      return;
    case FieldKind::kText:
      ++counts.texts;
      return;
    case FieldKind::kEmpty:
      ++counts.empty;
      return;
  }
}

void count_kinds(CsvSample& sample) {
  constexpr std::size_t kCounted = 64;  // lines, for columns of one kind
  std::vector<std::string_view> fields;
  std::size_t padded = 0;
  const std::size_t few = std::min(sample.lines.size(), kFewestLines);
  const std::size_t step = sample.lines.size() / kCounted + 1;
  for (std::size_t k = 0; k < sample.lines.size(); k += k < few ? 1 : step) {
    split_csv_line(sample.lines[k], sample.separator, fields);
    if (static_cast<int>(fields.size()) != sample.width) continue;
    bool has_padding = false;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const FieldKind kind = field_kind_of(fields[i]);
      count(kind, sample.counts[i]);
      if (kind != FieldKind::kByte && kind != FieldKind::kNumber) continue;
      has_padding = has_padding || fields[i].front() == ' ' || fields[i].back() == ' ';
    }
    if (has_padding && k < few) ++padded;
  }
  sample.padded = 2 * padded > few;
}

std::string_view field_at(std::string_view line, char separator, int index) {
  std::string_view rest = separator == ' ' ? without_blanks(line) : line;
  for (;; --index) {
    const char* const end = rest.data() + rest.size();
    const char* const stop = csv_field_end(rest.data(), end, separator);
    if (index == 0) return rest.substr(0, static_cast<std::size_t>(stop - rest.data()));
    rest = {stop + 1, static_cast<std::size_t>(end - stop - 1)};
    while (separator == ' ' && rest.front() == ' ') rest.remove_prefix(1);
  }
}

// The same from the last field on, of a line without quotes.
std::string_view field_from_end(std::string_view line, char separator, int index) {
  for (; index > 0; --index) line = line.substr(0, line.rfind(separator));
  return line.substr(line.rfind(separator) + 1);
}

bool is_list(std::string_view field) {
  constexpr int kLooked = 4;  // of its numbers
  int numbers = 0;
  for (; numbers < kLooked && !field.empty(); ++numbers) {
    const std::size_t blank = std::min(field.find(' '), field.size());
    if (!number_of(field.substr(0, blank))) return false;
    field = without_blanks(field.substr(blank));
  }
  return numbers > 1;
}

}  // namespace

FieldKind field_kind_of(std::string_view field) {
  if (field.size() - 1 < 3) {
    int value = 0;
    bool digits = true;
    for (const char c : field) {
      digits = digits && c >= '0' && c <= '9';
      value = 10 * value + (c - '0');
    }
    if (digits) return value < 256 ? FieldKind::kByte : FieldKind::kNumber;
  }
  const std::string_view bare = bare_field(field);
  if (bare.empty()) return FieldKind::kEmpty;
  if (bare.size() != field.size() && bare.size() < 4) return field_kind_of(bare);
  const std::optional<double> number = number_of(bare);
  const bool digits = bare.find_first_not_of("0123456789") == std::string_view::npos;
  if (number) return digits && *number < 256 ? FieldKind::kByte : FieldKind::kNumber;
  return is_list(bare) ? FieldKind::kList : FieldKind::kText;
}

std::vector<std::string_view> CsvSample::column(int index) const {
  std::vector<std::string_view> values;
  for (const std::string_view line : lines) {
    if (static_cast<int>(csv_width(line, separator)) != width) continue;
    const bool plain = separator != ' ' && line.find('"') == std::string_view::npos;
    values.push_back(bare_field(plain && index > width / 2
                                    ? field_from_end(line, separator, width - 1 - index)
                                    : field_at(line, separator, index)));
  }
  return values;
}

CsvSample sample_csv(const CsvContent& content, const std::string& name,
                     const std::string& separator, Extent extent) {
  CsvSample sample;
  take_lines(content, name, extent, sample);
  sample.separator = separator.empty() ? find_separator(sample, name) : given_separator(separator);
  const bool alone = sample.lines.empty();
  std::vector<std::string_view> few = alone ? std::vector{sample.first} : sample.lines;
  if (few.size() > kFewestLines) few.resize(kFewestLines);
  sample.width = usual_width(few, sample.separator).fields;
  sample.counts.resize(static_cast<std::size_t>(sample.width));
  count_kinds(sample);
  return sample;
}

}  // namespace lockstep
