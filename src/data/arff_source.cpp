// Rows from ARFF texts: a column is the label, another perhaps an id, the others are pixels.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "data/arff.h"
#include "data/csv_columns.h"
#include "data/pixel_order.h"
#include "data/rows_builder.h"
#include "data/source_format.h"
#include "lockstep/core/error.h"
#include "lockstep/core/names.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

constexpr std::size_t kNoColumn = std::numeric_limits<std::size_t>::max();

struct Columns {
  std::size_t label = kNoColumn;
  std::size_t id = kNoColumn;
  std::vector<std::size_t> pixels;

  bool labelled() const { return label != kNoColumn; }
};

// From a label's text to its number, which for texts is an index of `names`.
class LabelReader {
 public:
  explicit LabelReader(const ArffColumn& column) : column_(column) {
    for (const std::string& value : column.values) index_of(value);
  }

  std::int32_t label_of(std::string_view text, const ArffRows& rows, std::size_t column) {
    if (text.data() == nullptr) {
      fail_usage("{}: the label is missing; expected one in each row", rows.place(column));
    }
    switch (column_.kind) {
      case ArffKind::kNumber:
        return number(text, rows, column);
      case ArffKind::kNominal: {
        const auto found = indexes_.find(std::string(text));
        if (found != indexes_.end()) return found->second;
        fail_usage("{}: \"{}\" is none of the {} of its column{}", rows.place(column), text,
                   count_of(column_.values.size(), "value"), did_you_mean(text, column_.values));
      }
      case ArffKind::kText:
        return index_of(std::string(text));
    }
    fail_internal("a kind of column {}", static_cast<int>(column_.kind));
  }

  // Empty for numbers.
  std::vector<std::string> names() && { return std::move(names_); }

 private:
  static std::int32_t number(std::string_view text, const ArffRows& rows, std::size_t column) {
    const std::optional<double> value = signed_number_of(text);
    constexpr double kMost = std::numeric_limits<std::int32_t>::max();
    if (!value || *value < -kMost || *value > kMost || *value != static_cast<int>(*value)) {
      fail_usage("{}: the label is \"{}\"; expected a whole number", rows.place(column), text);
    }
    return static_cast<std::int32_t>(*value);
  }

  std::int32_t index_of(const std::string& name) {
    const auto [found, is_new] = indexes_.emplace(name, static_cast<std::int32_t>(names_.size()));
    if (is_new) names_.push_back(name);
    return found->second;
  }

  const ArffColumn& column_;
  std::unordered_map<std::string, std::int32_t> indexes_;
  std::vector<std::string> names_;
};

class ArffSource : public Source {
 public:
  explicit ArffSource(std::unique_ptr<SourceTexts> texts)
      : texts_(std::move(texts)), header_(parse_arff_header(text(), name())) {
    if (texts_->labels) {
      fail_usage("{}: an ARFF file has its labels in a column; expected no field `labels`", name());
    }
  }

  const char* format() const override { return "ARFF"; }
  const std::string& name() const override { return texts_->images.name(); }
  std::uint64_t bytes() const override { return text().size(); }
  std::uint64_t packed_bytes() const override { return texts_->images.packed_bytes(); }
  ImageShape shape(const DataOptions& options) const override {
    return guessed_shape(static_cast<int>(columns_of(options, Labels::kOptional).pixels.size()));
  }
  Look look(const DataOptions& options, Labels labels) const override;
  FileRows read(const DataOptions& options, Labels labels, FilePart part) const override;
  std::string place_of_label(const DataOptions& options, FilePart part,
                             std::int64_t index) const override;

 private:
  std::string_view text() const { return texts_->images.text(); }
  std::vector<std::string> column_names() const;
  std::size_t column_named(std::string_view lower) const;
  std::size_t column_of(const std::string& said, const char* setting) const;
  std::size_t label_column(const DataOptions& options, Labels labels) const;
  Columns columns_of(const DataOptions& options, Labels labels) const;
  std::int64_t count_rows(FilePart part) const;

  std::unique_ptr<SourceTexts> texts_;
  ArffHeader header_;
};

std::vector<std::string> ArffSource::column_names() const {
  std::vector<std::string> names;
  for (const ArffColumn& column : header_.columns) names.push_back(column.name);
  return names;
}

// In any case of letters; the first of several.
std::size_t ArffSource::column_named(std::string_view lower) const {
  for (std::size_t i = 0; i < header_.columns.size(); ++i) {
    if (lower_case(header_.columns[i].name) == lower) return i;
  }
  return kNoColumn;
}

// The column of a name, or of an index from 0.
std::size_t ArffSource::column_of(const std::string& said, const char* setting) const {
  const std::vector<std::string> names = column_names();
  const auto found = CsvColumns(names, static_cast<int>(names.size())).find(said);
  if (found) return static_cast<std::size_t>(*found);
  fail_usage("{}: has no column \"{}\", which {} names{}", name(), said, setting,
             did_you_mean(said, names));
}

std::size_t ArffSource::label_column(const DataOptions& options, Labels labels) const {
  const std::string& said = options.csv.label;
  const std::vector<std::string> names = column_names();
  if (said == "NONE") return kNoColumn;
  const CsvColumns columns(names, static_cast<int>(names.size()));
  // What is said counts, and is found or missed; only what is not said is looked for.
  const bool is_column = !said.empty() || options.label_column != DataOptions().label_column;
  const std::string& wanted = said.empty() ? options.label_column : said;
  if (const auto found = columns.find(wanted)) return static_cast<std::size_t>(*found);
  if (is_column && labels == Labels::kOptional) return kNoColumn;
  if (is_column) {
    return column_of(wanted, said.empty() ? "data.label_column" : "data.csv.label");
  }
  for (const char* usual : {"class", "label", "target"}) {
    if (const std::size_t column = column_named(usual); column != kNoColumn) return column;
  }
  std::vector<std::size_t> nominal;
  for (std::size_t i = 0; i < header_.columns.size(); ++i) {
    if (header_.columns[i].kind == ArffKind::kNominal) nominal.push_back(i);
  }
  if (nominal.size() == 1) return nominal[0];
  if (labels == Labels::kOptional) return kNoColumn;
  fail_usage("{}: which of its {} columns is the label? Expected its name in data.csv.label",
             name(), names.size());
}

Columns ArffSource::columns_of(const DataOptions& options, Labels labels) const {
  const CsvOptions& csv = options.csv;
  if (!csv.split.empty() || !csv.pixel_list.empty() || csv.label_kind == LabelKind::kOneHot) {
    fail_usage(
        "{}: data.csv.{} is not for ARFF files", name(),
        !csv.split.empty() ? "split" : (!csv.pixel_list.empty() ? "pixel_list" : "label_kind"));
  }
  Columns columns;
  columns.label = label_column(options, labels);
  columns.id = csv.id.empty() ? column_named("id") : column_of(csv.id, "data.csv.id");
  std::vector<std::size_t> ignored = {columns.label, columns.id};
  for (const std::string& each : csv.ignore) ignored.push_back(column_of(each, "data.csv.ignore"));
  for (std::size_t i = 0; i < header_.columns.size(); ++i) {
    if (std::ranges::find(ignored, i) != ignored.end()) continue;
    if (header_.columns[i].kind == ArffKind::kText) {
      fail_usage("{}: the column \"{}\" is text; expected pixels, or its name in data.csv.ignore",
                 name(), header_.columns[i].name);
    }
    columns.pixels.push_back(i);
  }
  if (columns.pixels.empty()) fail_usage("{}: no columns of pixels", name());
  return columns;
}

Look ArffSource::look(const DataOptions& options, Labels labels) const {
  const Columns columns = columns_of(options, labels);
  const ImageShape& shape = options.shape;
  if (columns.pixels.size() != static_cast<std::size_t>(shape.pixels())) {
    fail_usage("{}: {}; expected the {} of {}x{}x{}", name(),
               count_of(columns.pixels.size(), "pixel column"), shape.pixels(), shape.height,
               shape.width, shape.channels);
  }
  Look look{options, count_of(columns.pixels.size(), "pixel column"), std::nullopt};
  const auto tell = [&](std::size_t column, const char* what, std::string& setting) {
    if (column == kNoColumn) return;
    setting = header_.columns[column].name;
    look.found += fmt::format(", {} \"{}\"", what, setting);
  };
  tell(columns.label, "label", look.options.csv.label);
  tell(columns.id, "id", look.options.csv.id);
  return look;
}

std::int64_t ArffSource::count_rows(FilePart part) const {
  std::int64_t rows = 0;
  for (RowLines lines(text(), header_.data_first, part, '%'); lines.next();) ++rows;
  return rows;
}

// The rows that begin in `part` of the bytes.
FileRows ArffSource::read(const DataOptions& options, Labels labels, FilePart part) const {
  const Columns columns = columns_of(options, labels);
  const PixelOrder order = PixelOrder::of(options.csv.layout, options.shape);
  std::vector<double> values(columns.pixels.size());
  std::vector<float> arranged(values.size());
  std::vector<std::int32_t> read_labels;
  std::vector<std::string> ids;
  std::optional<LabelReader> reader;
  if (columns.labelled()) reader.emplace(header_.columns[columns.label]);
  RowsBuilder builder(name(), count_rows(part), options.shape.pixels());
  ArffRows rows(text(), name(), header_, part);
  while (rows.next()) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::string_view field = rows.fields()[columns.pixels[i]];
      const std::optional<double> value = signed_number_of(field);
      if (!value || std::abs(*value) > std::numeric_limits<float>::max()) {
        fail_usage("{}: column \"{}\": {}; expected a number", rows.place(columns.pixels[i]),
                   header_.columns[columns.pixels[i]].name,
                   field.data() == nullptr ? "a missing value" : fmt::format("\"{}\"", field));
      }
      values[i] = *value;
    }
    order.arrange(std::span<const double>(values), arranged);
    builder.add(std::span<const float>(arranged));
    if (reader) {
      read_labels.push_back(reader->label_of(rows.fields()[columns.label], rows, columns.label));
    }
    if (columns.id != kNoColumn) ids.emplace_back(rows.fields()[columns.id]);
  }
  FileRows read = builder.take();
  read.labelled = columns.labelled();
  read.labels = std::move(read_labels);
  read.ids = std::move(ids);
  if (reader) read.label_names = std::move(*reader).names();
  return read;
}

std::string ArffSource::place_of_label(const DataOptions& options, FilePart part,
                                       std::int64_t index) const {
  const Columns columns = columns_of(options, Labels::kRequired);
  ArffRows rows(text(), name(), header_, part);
  for (std::int64_t i = 0; i <= index; ++i) {
    if (!rows.next()) return name();
  }
  return rows.place(columns.label);
}

}  // namespace

const TextFormat kArff = {
    .recognizes = [](const SourceTexts& texts) { return is_arff(texts.images.text()); },
    .open = [](std::unique_ptr<SourceTexts> texts) -> std::unique_ptr<Source> {
      return std::make_unique<ArffSource>(std::move(texts));
    }};

}  // namespace lockstep
