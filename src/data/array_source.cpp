#include "data/array_source.h"

#include <algorithm>

#include "data/pixel_order.h"
#include "data/rows_builder.h"
#include "data/source_format.h"
#include "lockstep/core/error.h"
#include "lockstep/core/share.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

std::int64_t total_of(const std::vector<ArraySplit>& splits) {
  std::int64_t total = 0;
  for (const ArraySplit& split : splits) total += rows_of(split.images);
  return total;
}

// Calls visit(split, rows of it) for the splits that have rows of `part` of all rows.
template <typename Visit>
void visit_part(const std::vector<ArraySplit>& splits, FilePart part, Visit visit) {
  const Range range = share_of(total_of(splits), part.count, part.index);
  std::int64_t begin = 0;
  for (const ArraySplit& split : splits) {
    const std::int64_t rows = rows_of(split.images);
    const Range own{std::clamp<std::int64_t>(range.first - begin, 0, rows),
                    std::clamp<std::int64_t>(range.last - begin, 0, rows)};
    if (own.size() > 0) visit(split, own);
    begin += rows;
  }
}

void add_images(const NpyArray& images, Range range, const ArrayLayout& layout,
                RowsBuilder& builder) {
  const PixelOrder order = PixelOrder::of(layout.pixels, layout.shape);
  const std::int64_t pixels = layout.shape.pixels();
  std::vector<double> values(static_cast<std::size_t>(pixels));
  std::vector<float> arranged(values.size());
  for (std::int64_t row = range.first; row < range.last; ++row) {
    const Range elements{row * pixels, (row + 1) * pixels};
    const std::string_view bytes = order.is_plain() ? npy_bytes(images, elements) : "";
    if (!bytes.empty()) {
      builder.add(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
      continue;
    }
    read_npy(images, elements, values);
    check_values(images, row, values);
    order.arrange(std::span<const double>(values), arranged);
    builder.add(std::span<const float>(arranged));
  }
}

void check_labels(const ArraySplit& split) {
  if (!split.labels || rows_of(*split.labels) == rows_of(split.images)) return;
  fail_usage("{}: {}; expected a label for each of the {} of {}", split.labels->name,
             split.labels->shape_text(), count_of(rows_of(split.images), "row"), split.images.name);
}

// Arrays in files of their own.
class NpySource : public ArraySource {
 public:
  explicit NpySource(std::unique_ptr<SourceTexts> texts) : texts_(std::move(texts)) {}

  const std::string& name() const override { return texts_->images.name(); }
  std::uint64_t bytes() const override {
    return texts_->images.text().size() + (texts_->labels ? texts_->labels->text().size() : 0);
  }
  std::uint64_t packed_bytes() const override { return texts_->images.packed_bytes(); }

 private:
  Choice choose(const DataOptions& options, Labels labels) const override {
    ArraySplit split;
    split.images = parse_npy(texts_->images.text(), name());
    if (texts_->labels) split.labels = parse_npy(texts_->labels->text(), texts_->labels->name());
    if (!split.labels && labels == Labels::kRequired) {
      fail_usage("{}: images without labels; expected the field `labels` of the source too",
                 name());
    }
    std::string found = fmt::format("an array of {}", split.images.shape_text());
    return {{std::move(split)}, options, std::move(found)};
  }

  std::unique_ptr<SourceTexts> texts_;
};

}  // namespace

ImageShape ArraySource::shape(const DataOptions& options) const {
  const Choice choice = choose(options, Labels::kOptional);
  return layout_of(choice.splits[0].images, std::nullopt, options.csv.layout).shape;
}

Look ArraySource::look(const DataOptions& options, Labels labels) const {
  Choice choice = choose(options, labels);
  for (const ArraySplit& split : choice.splits) {
    const ArrayLayout layout = layout_of(split.images, options.shape, options.csv.layout);
    check_labels(split);
    if (&split == choice.splits.data() && layout.pixels == PixelLayout::kPlanar) {
      choice.found += ", a plane for each channel";
    }
  }
  const std::int64_t rows = total_of(choice.splits);
  if (rows == 0) fail_usage("{}: no rows", name());
  return {std::move(choice.options), std::move(choice.found), rows};
}

// In equal parts by row, over all splits.
FileRows ArraySource::read(const DataOptions& options, Labels labels, FilePart part) const {
  const Choice choice = choose(options, labels);
  const Range range = share_of(total_of(choice.splits), part.count, part.index);
  const bool told = choice.splits.size() > 1 || choice.splits[0].use != RowUse::kTraining;
  std::vector<std::int32_t> read_labels;
  std::vector<RowUse> uses;
  RowsBuilder builder(name(), range.size(), options.shape.pixels());
  visit_part(choice.splits, part, [&](const ArraySplit& split, Range rows) {
    const ArrayLayout layout = layout_of(split.images, options.shape, options.csv.layout);
    add_images(split.images, rows, layout, builder);
    if (told) uses.insert(uses.end(), static_cast<std::size_t>(rows.size()), split.use);
    if (!split.labels) return;
    const std::vector<std::int32_t> own = labels_of(*split.labels, rows);
    read_labels.insert(read_labels.end(), own.begin(), own.end());
  });
  FileRows rows = builder.take();
  rows.labelled = choice.splits[0].labels.has_value();
  rows.labels = std::move(read_labels);
  rows.uses = std::move(uses);
  return rows;
}

std::string ArraySource::place_of_label(const DataOptions& options, FilePart part,
                                        std::int64_t index) const {
  std::string place = name();
  visit_part(choose(options, Labels::kRequired).splits, part,
             [&](const ArraySplit& split, Range rows) {
               if (index >= 0 && index < rows.size() && split.labels) {
                 place = fmt::format("{}: row {}", split.labels->name, rows.first + index);
               }
               index -= rows.size();
             });
  return place;
}

const TextFormat kNpy = {
    .recognizes = [](const SourceTexts& texts) { return is_npy(texts.images.text()); },
    .open = [](std::unique_ptr<SourceTexts> texts) -> std::unique_ptr<Source> {
      return std::make_unique<NpySource>(std::move(texts));
    }};

}  // namespace lockstep
