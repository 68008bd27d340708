// Rows from LIBSVM's text: index by index the pixels of an image, of which the last may be zero
// in all rows, and so in none of them.

#include <limits>

#include "data/libsvm.h"
#include "data/pixel_order.h"
#include "data/rows_builder.h"
#include "data/source_format.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

class LibsvmSource : public Source {
 public:
  explicit LibsvmSource(std::unique_ptr<SourceTexts> texts)
      : texts_(std::move(texts)), extent_(measure_libsvm(text(), name())) {
    if (texts_->labels) {
      fail_usage("{}: a LIBSVM file has its labels in its rows; expected no field `labels`",
                 name());
    }
  }

  const char* format() const override { return "LIBSVM"; }
  const std::string& name() const override { return texts_->images.name(); }
  std::uint64_t bytes() const override { return text().size(); }
  std::uint64_t packed_bytes() const override { return texts_->images.packed_bytes(); }

  ImageShape shape(const DataOptions& /*options*/) const override {
    if (values() == 0) fail_usage("{}: no row has a value", name());
    return guessed_shape(static_cast<int>(values()));
  }

  Look look(const DataOptions& options, Labels /*labels*/) const override {
    const ImageShape& shape = options.shape;
    if (values() > shape.pixels()) {
      fail_usage("{}: indexes from {} to {}; expected at most the {} values of {}x{}x{}", name(),
                 extent_.first_index, extent_.last_index, shape.pixels(), shape.height, shape.width,
                 shape.channels);
    }
    const char* const counted = extent_.first_index == 0 ? "" : ", counted from 1 as none is 0";
    return {
        options,
        fmt::format("indexes from {} to {}{}", extent_.first_index, extent_.last_index, counted),
        extent_.rows};
  }

  FileRows read(const DataOptions& options, Labels labels, FilePart part) const override;

  std::string place_of_label(const DataOptions& /*options*/, FilePart part,
                             std::int64_t index) const override {
    LibsvmRows rows(text(), name(), part);
    for (std::int64_t i = 0; i <= index; ++i) {
      if (!rows.next()) return name();
    }
    return rows.place();
  }

 private:
  std::string_view text() const { return texts_->images.text(); }
  std::int64_t values() const { return extent_.last_index + 1 - extent_.first_index; }

  std::unique_ptr<SourceTexts> texts_;
  LibsvmExtent extent_;
};

std::int32_t label_of(const LibsvmRows& row) {
  constexpr double kMost = std::numeric_limits<std::int32_t>::max();
  const double label = row.label();
  if (label < -kMost || label > kMost || label != static_cast<std::int32_t>(label)) {
    fail_usage("{}: the label is {}; expected a whole number", row.place(), label);
  }
  return static_cast<std::int32_t>(label);
}

// The rows that begin in `part` of the bytes.
FileRows LibsvmSource::read(const DataOptions& options, Labels /*labels*/, FilePart part) const {
  std::int64_t count = 0;
  for (LibsvmRows rows(text(), name(), part); rows.next();) ++count;
  const PixelOrder order = PixelOrder::of(options.csv.layout, options.shape);
  const auto pixels = static_cast<std::size_t>(options.shape.pixels());
  std::vector<float> values(pixels);
  std::vector<float> arranged(pixels);
  std::vector<std::int32_t> labels;
  RowsBuilder builder(name(), count, options.shape.pixels());
  LibsvmRows rows(text(), name(), part);
  while (rows.next()) {
    rows.read(extent_.first_index, values);
    order.arrange(std::span<const float>(values), arranged);
    builder.add(std::span<const float>(arranged));
    labels.push_back(label_of(rows));
  }
  FileRows read = builder.take();
  read.labelled = true;
  read.labels = std::move(labels);
  return read;
}

}  // namespace

const TextFormat kLibsvm = {
    .recognizes = [](const SourceTexts& texts) { return is_libsvm(texts.images.text()); },
    .open = [](std::unique_ptr<SourceTexts> texts) -> std::unique_ptr<Source> {
      return std::make_unique<LibsvmSource>(std::move(texts));
    }};

}  // namespace lockstep
