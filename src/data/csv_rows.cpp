// A row is one line. LF or CRLF, a byte order mark and blank lines at the very end are
// accepted; a quoted field with a line's end in it is not, since parts are cut at lines.

#include "data/csv_rows.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "data/csv_row_parser.h"
#include "data/pixel_order.h"
#include "lockstep/core/error.h"
#include "lockstep/core/share.h"

namespace lockstep {

namespace {

// More labels than classes can be are ids.
constexpr std::size_t kMostLabels = 65536;

// Bytes of the text.
struct Bytes {
  std::size_t first;
  std::size_t last;
};

std::size_t body_first(const CsvFile& file) {
  if (file.reading.header == Header::kNo) return 0;
  return std::min(file.content.text.find('\n'), file.content.last - 1) + 1;
}

// The first row start at or past `cut`.
std::size_t row_start(const CsvFile& file, std::size_t cut) {
  const std::size_t first = body_first(file);
  if (cut <= first) return first;
  const std::size_t line_end = file.content.text.find('\n', cut - 1);
  if (line_end == std::string_view::npos) return file.content.last;
  return std::min(line_end + 1, file.content.last);
}

Bytes bytes_of(const CsvFile& file, FilePart part) {
  const std::size_t first = body_first(file);
  const auto start_of = [&](int index) {
    const auto body = static_cast<std::int64_t>(file.content.last - first);
    const Range range = share_of(body, part.count, index);
    return row_start(file, first + static_cast<std::size_t>(range.first));
  };
  const bool is_last = part.index + 1 == part.count;
  return {start_of(part.index), is_last ? file.content.last : start_of(part.index + 1)};
}

// Of a row; a field takes two bytes at least where it may not be empty, which bounds the
// memory by the size of the file.
std::size_t fewest_bytes(const CsvReading& reading) {
  std::size_t bytes = 0;
  for (const CsvRun& run : reading.runs) {
    const bool may_be_empty = run.role == CsvRole::kIgnored || run.role == CsvRole::kId;
    const int pixels = run.role == CsvRole::kPixelList ? reading.pixels : run.columns;
    bytes += static_cast<std::size_t>(pixels) * (may_be_empty ? 1 : 2);
  }
  return bytes;
}

// Reads rows one behind the other.
class RowReader {
 public:
  RowReader(const CsvFile& file, const ImageShape& shape, Bytes bytes);

  // All rows, or those before the first bad one; where that is, or the end.
  const char* read();

  FileRows take() { return std::move(rows_); }

 private:
  // The row at `at`; the next one, or null for a bad row.
  const char* parse(const char* at);
  void keep_row();
  const CsvFile& file_;
  const Bytes bytes_;
  CsvRowParser parser_;
  PixelOrder order_;
  CsvRow row_;
  FileRows rows_;
  std::int64_t most_rows_;
  std::unordered_map<std::string, std::int32_t> label_places_;
  bool has_ids_;
  bool has_uses_;
  bool has_text_labels_;
  // Where rows may start that the fast parser reads, which looks at bytes around them.
  const char* fast_first_;
  const char* fast_last_;
};

RowReader::RowReader(const CsvFile& file, const ImageShape& shape, Bytes bytes)
    : file_(file),
      bytes_(bytes),
      parser_(file.reading),
      order_(PixelOrder::of(file.reading.layout, shape)),
      has_ids_(file.reading.has(CsvRole::kId)),
      has_uses_(file.reading.has(CsvRole::kUse)),
      has_text_labels_(file.reading.labelled() && file.reading.label_kind == LabelKind::kText) {
  const CsvReading& reading = file.reading;
  const std::size_t most = (bytes.last - bytes.first + 1) / fewest_bytes(reading) + 1;
  most_rows_ = static_cast<std::int64_t>(most);
  rows_.pixels_per_row = reading.pixels;
  rows_.labelled = reading.labelled();
  rows_.type = reading.pixel_kind == PixelKind::kReal ? PixelType::kFloat : PixelType::kByte;
  rows_.pixels =
      ZeroedPages(most * static_cast<std::size_t>(reading.pixels) * lockstep::bytes_of(rows_.type));
  rows_.digests.reserve(most);
  if (rows_.labelled) rows_.labels.reserve(most);
  const std::string_view text = file.content.text;
  fast_first_ = text.data() + kPixelLookBackBytes;
  const bool fast = parser_.is_fast() && text.size() > parser_.row_bytes();
  fast_last_ = fast ? text.data() + text.size() - parser_.row_bytes() : text.data();
}

const char* RowReader::parse(const char* at) {
  const char* const end = file_.content.text.data() + file_.content.last;
  if (rows_.type == PixelType::kFloat) {
    float* const pixels = rows_.floats_of_row(rows_.count);
    const char* const next = parser_.parse_any(at, end, pixels, row_);
    if (next != nullptr) order_.apply(pixels);
    return next;
  }
  std::uint8_t* const pixels = rows_.bytes_of_row(rows_.count);
  const char* next = nullptr;
  if (at >= fast_first_ && at < fast_last_) next = parser_.parse(at, pixels, row_);
  if (next == nullptr) next = parser_.parse_any(at, end, pixels, row_);
  if (next != nullptr) order_.apply(pixels);
  return next;
}

const char* RowReader::read() {
  const char* at = file_.content.text.data() + bytes_.first;
  const char* const last = file_.content.text.data() + bytes_.last;
  while (at < last && rows_.count < most_rows_) {
    const char* const next = parse(at);
    if (next == nullptr) break;
    rows_.add_digest_of(rows_.count);
    keep_row();
    at = next;
  }
  return std::min(at, last);
}

void RowReader::keep_row() {
  if (has_text_labels_) {
    const auto [place, is_new] = label_places_.try_emplace(
        field_text(row_.label_text), static_cast<std::int32_t>(label_places_.size()));
    if (is_new) rows_.label_names.push_back(place->first);
    row_.label = place->second;
  }
  if (rows_.labelled) rows_.labels.push_back(row_.label);
  if (has_ids_) rows_.ids.push_back(field_text(row_.id));
  if (has_uses_) rows_.uses.push_back(row_.use);
  ++rows_.count;
  if (label_places_.size() <= kMostLabels) return;
  fail_usage("{}: more than {} distinct labels; expected classes: are these ids?", file_.name,
             kMostLabels);
}

}  // namespace

FileRows read_csv_rows(const CsvFile& file, const ImageShape& shape, FilePart part) {
  const Bytes bytes = bytes_of(file, part);
  RowReader reader(file, shape, bytes);
  const auto at = static_cast<std::size_t>(reader.read() - file.content.text.data());
  if (at < bytes.last) fail_csv_row(file, at);
  return reader.take();
}

std::int64_t csv_row_count(const CsvFile& file) {
  const std::string_view body =
      file.content.text.substr(0, file.content.last).substr(body_first(file));
  return body.empty() ? 0 : 1 + std::count(body.begin(), body.end(), '\n');
}

std::int64_t first_csv_row(const CsvFile& file, FilePart part) {
  const std::size_t first = body_first(file);
  const std::string_view before =
      file.content.text.substr(first, bytes_of(file, part).first - first);
  return std::count(before.begin(), before.end(), '\n');
}

std::string csv_label_place(const CsvFile& file, FilePart part, std::int64_t index) {
  const std::string_view text = file.content.text;
  std::size_t at = bytes_of(file, part).first;
  for (std::int64_t i = 0; i < index; ++i) at = text.find('\n', at) + 1;
  const auto line_number = 1 + std::count(text.begin(), text.begin() + static_cast<long>(at), '\n');
  const std::string_view line = csv_line_at(text, at);
  std::vector<std::string_view> fields;
  split_csv_line(line, file.reading.separator, fields);
  const int column =
      std::max(file.reading.column_of(CsvRole::kLabel), file.reading.column_of(CsvRole::kOneHot));
  const std::string_view field = fields.at(static_cast<std::size_t>(column));
  return fmt::format("{}:{}:{}: {}", file.name, line_number, field.data() - line.data() + 1,
                     csv_column_name(file.reading, static_cast<std::size_t>(column)));
}

}  // namespace lockstep
