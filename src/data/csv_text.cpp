#include "data/csv_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "lockstep/core/error.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kMostShown = 40;  // bytes of a field in a message

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// One past the closing quote of the field that begins with one at `text`; `end` without one.
const char* quote_end(const char* text, const char* end) {
  for (++text; text < end; ++text) {
    if (*text != '"') continue;
    if (text + 1 == end || text[1] != '"') return text + 1;
    ++text;
  }
  return end;
}

}  // namespace

CsvContent csv_content(std::string_view file, const std::string& name) {
  if (file.starts_with(kByteOrderMark)) file.remove_prefix(kByteOrderMark.size());
  const std::size_t last = file.find_last_not_of("\r\n");
  if (last != std::string_view::npos) return {file, last + 1};
  fail_usage("{}:1:1: the file is empty; expected rows of a label and pixels", name);
}

std::string_view csv_line_at(std::string_view text, std::size_t first) {
  std::string_view line = text.substr(first, text.find('\n', first) - first);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

const char* csv_field_end(const char* text, const char* end, char separator) {
  constexpr std::ptrdiff_t kFew = 8;  // bytes, as most fields have
  const char* at = text;
  while (at < end && is_blank(*at) && *at != separator) ++at;
  if (at < end && *at == '"') at = quote_end(at, end);
  for (const char* const few = at + std::min(end - at, kFew); at < few; ++at) {
    if (*at == separator) return at;
  }
  const void* const found = std::memchr(at, separator, static_cast<std::size_t>(end - at));
  return found != nullptr ? static_cast<const char*>(found) : end;
}

std::size_t csv_width(std::string_view line, char separator) {
  if (separator != ' ' && line.find('"') == std::string_view::npos) {
    return 1 + static_cast<std::size_t>(std::count(line.begin(), line.end(), separator));
  }
  std::vector<std::string_view> fields;
  split_csv_line(line, separator, fields);
  return fields.size();
}

void split_csv_line(std::string_view line, char separator, std::vector<std::string_view>& fields) {
  fields.clear();
  const bool blanks = separator == ' ';
  if (blanks) line = without_blanks(line);
  const char* at = line.data();
  const char* const end = at + line.size();
  for (;;) {
    const char* const stop = csv_field_end(at, end, separator);
    fields.emplace_back(at, static_cast<std::size_t>(stop - at));
    if (stop == end) return;
    at = stop + 1;
    while (blanks && *at == ' ') ++at;
  }
}

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view bare_field(std::string_view field) {
  field = without_blanks(field);
  if (field.size() > 1 && field.front() == '"' && field.back() == '"') {
    field = field.substr(1, field.size() - 2);
  }
  return field;
}

std::string field_text(std::string_view field) {
  std::string text(bare_field(field));
  if (quoting_of(field) != Quoting::kWhole) return text;
  for (std::size_t at = text.find('"'); at != std::string::npos; at = text.find('"', at + 1)) {
    text.erase(at, 1);
  }
  return text;
}

Quoting quoting_of(std::string_view field) {
  field = without_blanks(field);
  if (field.find('"') == std::string_view::npos) return Quoting::kNone;
  if (field.front() != '"') return Quoting::kTorn;
  const char* const end = field.data() + field.size();
  const bool whole = field.size() > 1 && quote_end(field.data(), end) == end && end[-1] == '"';
  // A last quote that is the second of two closes nothing.
  const auto quotes = std::count(field.begin(), field.end(), '"');
  return whole && quotes % 2 == 0 ? Quoting::kWhole : Quoting::kTorn;
}

std::optional<double> number_of(std::string_view field) {
  double value = 0;
  const auto [end, fault] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (fault != std::errc() || end != field.data() + field.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::int32_t> whole_number_of(std::string_view field) {
  const std::optional<double> value = number_of(field);
  constexpr double kMost = std::numeric_limits<std::int32_t>::max();
  if (!value || std::trunc(*value) != *value || std::abs(*value) > kMost) return std::nullopt;
  return static_cast<std::int32_t>(*value);
}

std::optional<RowUse> row_use_of(std::string_view field) {
  static constexpr std::array<std::pair<std::string_view, RowUse>, 11> kWords = {{
      {"training", RowUse::kTraining},
      {"train", RowUse::kTraining},
      {"publictest", RowUse::kValidation},
      {"validation", RowUse::kValidation},
      {"valid", RowUse::kValidation},
      {"val", RowUse::kValidation},
      {"dev", RowUse::kValidation},
      {"privatetest", RowUse::kTest},
      {"testing", RowUse::kTest},
      {"test", RowUse::kTest},
      {"eval", RowUse::kTest},
  }};
  const std::string wanted = lower_case(bare_field(field));
  for (const auto& [word, use] : kWords) {
    if (wanted == word) return use;
  }
  return std::nullopt;
}

std::string shown_field(std::string_view field) {
  std::size_t end = std::min(field.size(), kMostShown);
  while (end < field.size() && (static_cast<unsigned char>(field[end]) & 0xC0U) == 0x80U) --end;
  return fmt::format("\"{}{}\"", field.substr(0, end), end < field.size() ? "..." : "");
}

}  // namespace lockstep
