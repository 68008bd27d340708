// CSV of any dialect, as a source.

#include "data/csv_labels.h"
#include "data/csv_look.h"
#include "data/csv_rows.h"
#include "data/rows_builder.h"
#include "data/source_format.h"

namespace lockstep {

namespace {

class CsvSource : public Source {
 public:
  explicit CsvSource(std::unique_ptr<SourceTexts> texts) : texts_(std::move(texts)) {}

  const char* format() const override { return "CSV"; }
  const std::string& name() const override { return text().name(); }
  std::uint64_t bytes() const override { return text().text().size(); }
  std::uint64_t packed_bytes() const override { return text().packed_bytes(); }

  // Images that are square, or square with three channels, else one row of pixels.
  ImageShape shape(const DataOptions& options) const override {
    return guessed_shape(look_at(options, std::nullopt, Labels::kOptional).reading.pixels);
  }

  Look look(const DataOptions& options, Labels labels) const override {
    CsvFound found = look_at(options, options.shape, labels);
    Look look{options, std::move(found.said), std::nullopt};
    look.options.csv = std::move(found.options);
    if (texts_->labels) {
      constexpr std::string_view kNone = "no label";
      const std::size_t at = look.found.find(kNone);
      look.found.replace(at, kNone.size(), "labels: " + texts_->labels->name());
    }
    return look;
  }

  FileRows read(const DataOptions& options, Labels labels, FilePart part) const override {
    const CsvFound found = look_at(options, options.shape, labels);
    const CsvFile file = file_of(found.reading, options);
    FileRows rows = read_csv_rows(file, options.shape, part);
    if (texts_->labels) {
      CsvLabels(*texts_->labels, options.csv.label_kind, csv_row_count(file))
          .join(rows, first_csv_row(file, part), file.name);
    }
    return rows;
  }

  std::string place_of_label(const DataOptions& options, FilePart part,
                             std::int64_t index) const override {
    const CsvFound found = look_at(options, options.shape, Labels::kOptional);
    const CsvFile file = file_of(found.reading, options);
    if (texts_->labels) {
      return fmt::format("{}: row {}", texts_->labels->name(), first_csv_row(file, part) + index);
    }
    return csv_label_place(file, part, index);
  }

 private:
  const SourceText& text() const { return texts_->images; }

  CsvFile file_of(const CsvReading& reading, const DataOptions& options) const {
    return {csv_content(text().text(), name()), name(), reading,
            options.labels.empty() ? options.classes : 0};
  }

  // Where labels are in a file of their own, this one has none.
  CsvFound look_at(const DataOptions& options, const std::optional<ImageShape>& shape,
                   Labels labels) const {
    CsvOptions csv = options.csv;
    if (texts_->labels) {
      csv.label = "NONE";
      labels = Labels::kOptional;
    }
    return look_at_csv({text().text(), name(), csv, options.label_column, shape, labels});
  }

  std::unique_ptr<SourceTexts> texts_;
};

}  // namespace

const TextFormat kCsv = {.recognizes = [](const SourceTexts&) { return true; },
                         .open = [](std::unique_ptr<SourceTexts> texts) -> std::unique_ptr<Source> {
                           return std::make_unique<CsvSource>(std::move(texts));
                         }};

}  // namespace lockstep
