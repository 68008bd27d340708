#include "data/csv_row_parser.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include "data/csv_text.h"

namespace lockstep {

namespace {

// The most that a label and its separator take in a plain row, and any other text.
constexpr std::size_t kMostLabelBytes = 12;
constexpr std::size_t kMostTextBytes = 64;

// The start of the line after the line end at `text`, or null where there is none.
const char* skip_line_end(const char* text) {
  if (*text == '\r') ++text;
  return *text == '\n' ? text + 1 : nullptr;
}

std::size_t most_bytes(const CsvRun& run, int pixels) {
  const auto columns = static_cast<std::size_t>(run.columns);
  switch (run.role) {
    case CsvRole::kPixels:
      return columns * kMostPixelBytes;
    case CsvRole::kPixelList:
      return static_cast<std::size_t>(pixels) * kMostPixelBytes + 2;
    case CsvRole::kLabel:
      return kMostTextBytes;
    default:
      return columns * kMostTextBytes;
  }
}

}  // namespace

CsvRowParser::CsvRowParser(const CsvReading& reading)
    : reading_(reading),
      fast_(reading.pixel_kind == PixelKind::kWhole && !reading.padded &&
            !reading.has(CsvRole::kOneHot)),
      row_bytes_(kPixelLookAheadBytes),
      parse_pixels_(pixel_parsers(reading.separator).front()),
      parse_list_(pixel_parsers(' ').front()) {
  for (const CsvRun& run : reading.runs) row_bytes_ += most_bytes(run, reading.pixels);
}

const char* CsvRowParser::parse(const char* text, std::uint8_t* pixels, CsvRow& row) const {
  for (const CsvRun& run : reading_.runs) {
    text = parse_run(text, run, &run == &reading_.runs.back(), pixels, row);
    if (text == nullptr) return nullptr;
  }
  return skip_line_end(text);
}

const char* CsvRowParser::parse_run(const char* text, CsvRun run, bool last, std::uint8_t*& pixels,
                                    CsvRow& row) const {
  if (run.role == CsvRole::kPixels) {
    const int ended = run.columns - (last ? 1 : 0);
    text = parse_pixels_(text, pixels, ended);
    pixels += run.columns;
    return last && text != nullptr ? parse_pixel(text, pixels - 1) : text;
  }
  for (int i = 0; i < run.columns; ++i) {
    if (run.role == CsvRole::kPixelList) {
      text = parse_list(text, pixels);
    } else if (run.role == CsvRole::kLabel && reading_.label_kind == LabelKind::kNumber) {
      const auto [end, fault] = std::from_chars(text, text + kMostLabelBytes, row.label);
      text = fault == std::errc() ? end : nullptr;
    } else {
      text = parse_text(text, run.role, row);
    }
    if (text == nullptr || (last && i + 1 == run.columns)) return text;
    if (*text != reading_.separator) return nullptr;
    ++text;
  }
  return text;
}

const char* CsvRowParser::parse_list(const char* text, std::uint8_t*& pixels) const {
  const bool quoted = *text == '"';
  if (quoted) ++text;
  text = parse_list_(text, pixels, reading_.pixels - 1);
  pixels += reading_.pixels;
  if (text != nullptr) text = parse_pixel(text, pixels - 1);
  if (text == nullptr || !quoted) return text;
  return *text == '"' ? text + 1 : nullptr;
}

const char* CsvRowParser::parse_text(const char* text, CsvRole role, CsvRow& row) const {
  const char* end = text;
  const char* const limit = text + kMostTextBytes - 2;
  while (end < limit && *end != reading_.separator && *end != '\n' && *end != '"') ++end;
  if (end == limit || *end == '"') return nullptr;
  if (*end == '\n' && end > text && end[-1] == '\r') --end;
  const std::string_view field(text, static_cast<std::size_t>(end - text));
  return take_field(field, role, 0, row) ? end : nullptr;
}

std::string_view CsvRowParser::bare(std::string_view field) const {
  const std::string_view without = without_blanks(field);
  if (!reading_.padded && without.size() != field.size()) return field;
  return bare_field(without);
}

bool take_pixel(std::string_view field, std::uint8_t& value) {
  unsigned number = 0;
  const auto [end, fault] = std::from_chars(field.data(), field.data() + field.size(), number);
  if (fault != std::errc() || end != field.data() + field.size() || number > 255) return false;
  value = static_cast<std::uint8_t>(number);
  return true;
}

bool take_pixel(std::string_view field, float& value) {
  const auto [end, fault] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (fault == std::errc()) return end == field.data() + field.size() && std::isfinite(value);
  // Too small for a float, it is 0.
  const std::optional<double> number = number_of(field);
  if (!number || std::abs(*number) > 1) return false;
  value = static_cast<float>(*number);
  return true;
}

template <typename Pixel>
bool CsvRowParser::take_list(std::string_view field, Pixel* pixels) const {
  field = bare_field(field);
  for (int i = 0; i < reading_.pixels; ++i) {
    const std::string_view number = field.substr(0, field.find(' '));
    if (!take_pixel(number, pixels[i])) return false;
    field = without_blanks(field.substr(number.size()));
  }
  return field.empty();
}

bool CsvRowParser::take_field(std::string_view field, CsvRole role, int place, CsvRow& row) const {
  switch (role) {
    case CsvRole::kLabel:
      if (reading_.label_kind == LabelKind::kText) {
        row.label_text = field;
        return !bare_field(field).empty() && quoting_of(field) != Quoting::kTorn;
      } else {
        const std::optional<std::int32_t> label = whole_number_of(bare(field));
        row.label = label.value_or(0);
        return label.has_value();
      }
    case CsvRole::kOneHot: {
      const std::optional<double> value = number_of(bare(field));
      if (!value || (*value != 0 && *value != 1)) return false;
      if (*value == 0) return true;
      if (row.label >= 0) return false;
      row.label = place;
      return true;
    }
    case CsvRole::kId:
      row.id = field;
      return quoting_of(field) != Quoting::kTorn;
    case CsvRole::kUse: {
      const std::optional<RowUse> use = row_use_of(field);
      row.use = use.value_or(RowUse::kTraining);
      return use.has_value();
    }
    default:
      return quoting_of(field) != Quoting::kTorn;
  }
}

template <typename Pixel>
const char* CsvRowParser::parse_any(const char* text, const char* end, Pixel* pixels,
                                    CsvRow& row) const {
  const void* const found = std::memchr(text, '\n', static_cast<std::size_t>(end - text));
  const char* const line_end = found != nullptr ? static_cast<const char*>(found) : end;
  const char* last = line_end;
  if (last > text && last[-1] == '\r') --last;
  const bool blanks = reading_.separator == ' ';
  if (blanks) {
    const std::string_view row_text = without_blanks({text, static_cast<std::size_t>(last - text)});
    text = row_text.data();
    last = text + row_text.size();
  }
  row.label = reading_.has(CsvRole::kOneHot) ? -1 : 0;
  bool first = true;
  for (const CsvRun& run : reading_.runs) {
    for (int i = 0; i < run.columns; ++i, first = false) {
      if (!first) {
        if (text == last) return nullptr;
        ++text;
      }
      while (blanks && text < last && *text == ' ') ++text;
      const char* const stop = csv_field_end(text, last, reading_.separator);
      const std::string_view field(text, static_cast<std::size_t>(stop - text));
      text = stop;
      if (run.role == CsvRole::kPixels) {
        if (!take_pixel(bare(field), *pixels++)) return nullptr;
      } else if (run.role == CsvRole::kPixelList) {
        if (!take_list(field, pixels)) return nullptr;
        pixels += reading_.pixels;
      } else if (!take_field(field, run.role, i, row)) {
        return nullptr;
      }
    }
  }
  const bool without_label = reading_.has(CsvRole::kOneHot) && row.label < 0;
  if (text != last || without_label) return nullptr;
  return line_end < end ? line_end + 1 : end;
}

template const char* CsvRowParser::parse_any(const char* text, const char* end,
                                             std::uint8_t* pixels, CsvRow& row) const;
template const char* CsvRowParser::parse_any(const char* text, const char* end, float* pixels,
                                             CsvRow& row) const;

}  // namespace lockstep
