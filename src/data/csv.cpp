// Strict reader of CSV files with a header line, pixel columns and a label column.
//
// A row is one line of unquoted whole numbers: no spaces, no empty fields. LF or
// CRLF, a byte order mark and blank lines at the very end are accepted.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "data/csv_header.h"
#include "data/pixel_fields.h"
#include "data/source_format.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

// The most that a label and its comma take in a good row.
constexpr std::size_t kMostLabelBytes = 11;

// With classes to be counted, the most that an experiment may have.
int most_classes(const DataOptions& options) {
  constexpr int kMostClasses = 65536;
  return options.classes > 0 ? options.classes : kMostClasses;
}

class RowParser {
 public:
  RowParser(const CsvHeader& header, const DataOptions& options)
      : pixels_(options.shape.pixels()),
        before_(header.label_column < 0 ? pixels_ - 1 : header.label_column),
        labelled_(header.label_column >= 0),
        classes_(static_cast<std::uint32_t>(most_classes(options))),
        parse_pixels_(pixel_parsers().front()) {}

  // Parses the row at `text`, which must go on for row_bytes() and have
  // kPixelLookBackBytes before it; the start of the next row, or null for a row that
  // is not as it should be.
  const char* parse(const char* text, std::uint8_t* pixels, std::int32_t* label) const;

  // The same for fields of any length, as leading zeros make them, in text up to `end`.
  const char* parse_any_length(const char* text, const char* end, std::uint8_t* pixels,
                               std::int32_t* label) const;

  std::size_t row_bytes() const {
    return static_cast<std::size_t>(pixels_) * kMostPixelBytes + kMostLabelBytes +
           kPixelLookAheadBytes;
  }

 private:
  // The start of the line after the line end at `text`, or null where there is none.
  static const char* skip_line_end(const char* text) {
    if (*text == '\r') ++text;
    return *text == '\n' ? text + 1 : nullptr;
  }

  int pixels_;
  int before_;  // pixels before the label, or all but the last
  bool labelled_;
  std::uint32_t classes_;
  PixelParser parse_pixels_;
};

const char* RowParser::parse(const char* text, std::uint8_t* pixels, std::int32_t* label) const {
  text = parse_pixels_(text, pixels, before_);
  if (text == nullptr) return nullptr;
  if (labelled_) {
    std::uint32_t value = 0;
    const auto [end, fault] = std::from_chars(text, text + kMostLabelBytes, value);
    if (fault != std::errc() || value >= classes_) return nullptr;
    *label = static_cast<std::int32_t>(value);
    if (before_ == pixels_) return skip_line_end(end);
    if (*end != ',') return nullptr;
    text = parse_pixels_(end + 1, pixels + before_, pixels_ - before_ - 1);
    if (text == nullptr) return nullptr;
  }
  text = parse_pixel(text, pixels + pixels_ - 1);
  return text == nullptr ? nullptr : skip_line_end(text);
}

const char* RowParser::parse_any_length(const char* text, const char* end, std::uint8_t* pixels,
                                        std::int32_t* label) const {
  const int fields = pixels_ + (labelled_ ? 1 : 0);
  const int label_field = labelled_ ? before_ : -1;
  for (int field = 0; field < fields; ++field) {
    if (field > 0) {
      if (text == end || *text != ',') return nullptr;
      ++text;
    }
    std::uint32_t value = 0;
    const auto [stop, fault] = std::from_chars(text, end, value);
    const bool is_label = field == label_field;
    if (fault != std::errc() || value >= (is_label ? classes_ : 256)) return nullptr;
    if (is_label) {
      *label = static_cast<std::int32_t>(value);
    } else {
      *pixels++ = static_cast<std::uint8_t>(value);
    }
    text = stop;
  }
  return text == end ? end : skip_line_end(text);
}

// The first row start at or past `cut` in [first, last].
std::size_t row_start(std::string_view text, std::size_t first, std::size_t last, std::size_t cut) {
  if (cut <= first) return first;
  const std::size_t line_end = text.find('\n', cut - 1);
  return std::min(line_end == std::string_view::npos ? last : line_end + 1, last);
}

// Empty rows for a part of `bytes` bytes; the most that fit. A field takes two
// bytes at least, which bounds the memory by the size of the file.
FileRows room_for(std::size_t bytes, const CsvHeader& header, const DataOptions& options) {
  FileRows rows;
  rows.pixels_per_row = options.shape.pixels();
  rows.labelled = header.label_column >= 0;
  const std::size_t most = (bytes + 1) / (2 * header.names.size()) + 1;
  rows.pixels = ZeroedPages(most * static_cast<std::size_t>(rows.pixels_per_row));
  rows.labels.resize(most);
  rows.digests.reserve(most);
  return rows;
}

// Appends the rows that start in [at, end) of a text that goes on to `text_end`; where the
// next one would start, or before `end` where a row is not as it should be.
const char* append_rows(const RowParser& parser, const char* at, const char* end,
                        const char* text_end, FileRows& rows) {
  const auto most = static_cast<std::int64_t>(rows.labels.size());
  while (at < end && rows.count < most) {
    std::uint8_t* const pixels = rows.bytes_of_row(rows.count);
    std::int32_t* const label = &rows.labels[static_cast<std::size_t>(rows.count)];
    const char* next = parser.parse(at, pixels, label);
    if (next == nullptr) next = parser.parse_any_length(at, text_end, pixels, label);
    if (next == nullptr) break;
    rows.add_digest_of(rows.count);
    ++rows.count;
    at = next;
  }
  return at;
}

class CsvSource : public Source {
 public:
  explicit CsvSource(std::unique_ptr<SourceTexts> texts) : texts_(std::move(texts)) {}

  const char* format() const override { return "CSV"; }
  const std::string& name() const override { return text().name(); }
  std::uint64_t bytes() const override { return text().text().size(); }
  std::uint64_t packed_bytes() const override { return text().packed_bytes(); }

  // Images that are square, or square with three channels, else one row of pixels.
  ImageShape shape(const DataOptions& options) const override {
    const int pixels = csv_pixel_columns(text().text(), name(), options.label_column);
    const auto side_of = [](int area) { return static_cast<int>(std::lround(std::sqrt(area))); };
    const int grey = side_of(pixels);
    const int colour = side_of(pixels / 3);
    if (grey * grey == pixels) return {grey, grey, 1};
    if (3 * colour * colour == pixels) return {colour, colour, 3};
    return {1, pixels, 1};
  }

  Look look(const DataOptions& options, Labels labels) const override {
    parse_csv_header(text().text(), name(), options, labels);
    return {options, "", {}};
  }

  FileRows read(const DataOptions& options, Labels labels, FilePart part) const override;

  std::string place_of_label(const DataOptions& /*options*/, FilePart /*part*/,
                             std::int64_t /*index*/) const override {
    return name();
  }

 private:
  const SourceText& text() const { return texts_->images; }

  std::unique_ptr<SourceTexts> texts_;
};

// The rows that start in `part` of the bytes. Error (2): FILE:LINE:COLUMN: what was seen
// and expected, of the first bad row of the part (columns count bytes from 1).
FileRows CsvSource::read(const DataOptions& options, Labels labels, FilePart part) const {
  const SourceText& source = texts_->images;
  const CsvHeader header = parse_csv_header(source.text(), source.name(), options, labels);
  const std::string_view text = header.text;
  const auto start_of = [&](int index) {
    const auto body = static_cast<std::int64_t>(header.body_last - header.body_first);
    const auto cut = static_cast<std::size_t>(share_of(body, part.count, index).first);
    return row_start(text, header.body_first, header.body_last, header.body_first + cut);
  };
  const std::size_t first = start_of(part.index);
  const std::size_t last =
      part.index + 1 == part.count ? header.body_last : start_of(part.index + 1);
  FileRows rows = room_for(last - first, header, options);

  const RowParser parser(header, options);
  const std::size_t readable = text.size() - std::min(text.size(), parser.row_bytes());
  const std::size_t direct_last =
      first < kPixelLookBackBytes ? first : std::max(first, std::min(last, readable));
  const char* const begin = text.data();
  const char* at =
      append_rows(parser, begin + first, begin + direct_last, begin + text.size(), rows);
  const auto done = static_cast<std::size_t>(at - begin);
  if (done < direct_last) fail_csv_row(header, source.name(), options, done);

  // The rows around which the parser would read beyond the file, from a copy.
  std::string tail(kPixelLookBackBytes, '\n');
  tail += text.substr(std::min(done, last), last - std::min(done, last));
  const std::size_t tail_bytes = tail.size();
  tail += '\n';
  tail.append(parser.row_bytes(), '\0');
  const char* const tail_begin = tail.data() + kPixelLookBackBytes;
  const char* const tail_end = tail.data() + tail_bytes;
  at = append_rows(parser, tail_begin, tail_end, tail.data() + tail.size(), rows);
  if (at < tail_end) {
    fail_csv_row(header, source.name(), options, done + static_cast<std::size_t>(at - tail_begin));
  }
  rows.labels.resize(rows.labelled ? static_cast<std::size_t>(rows.count) : 0);
  return rows;
}

}  // namespace

const TextFormat kCsv = {.recognizes = [](const SourceTexts&) { return true; },
                         .open = [](std::unique_ptr<SourceTexts> texts) -> std::unique_ptr<Source> {
                           return std::make_unique<CsvSource>(std::move(texts));
                         }};

}  // namespace lockstep
