// Reader of IDX files, the format of MNIST: a big-endian magic number, the sizes, then the
// bytes. Labels are in a file of their own.

#include <cstring>

#include "data/source_format.h"
#include "lockstep/core/error.h"
#include "lockstep/core/share.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

constexpr std::uint32_t kImageMagic = 0x00000803;  // unsigned bytes in 3 dimensions
constexpr std::uint32_t kColourMagic = 0x00000804;
constexpr std::uint32_t kLabelMagic = 0x00000801;

std::uint32_t word_at(std::string_view file, std::size_t index) {
  std::uint32_t word = 0;
  for (std::size_t i = 4 * index; i < 4 * index + 4; ++i) {
    word = word << 8 | static_cast<unsigned char>(file[i]);
  }
  return word;
}

// The sizes of `source` after its magic number; checked against the file's size.
std::vector<std::uint32_t> read_sizes(const SourceText& source, std::uint32_t magic) {
  const std::string_view file = source.text();
  const std::size_t dimensions = magic & 0xFF;
  const std::size_t header_bytes = 4 * (1 + dimensions);
  if (file.size() < header_bytes) {
    fail_usage("{}: {}; expected the {} of an IDX header", source.name(),
               count_of(file.size(), "byte"), header_bytes);
  }
  if (word_at(file, 0) != magic) {
    fail_usage("{}: starts with 0x{:08x}; expected the 0x{:08x} of IDX {}", source.name(),
               word_at(file, 0), magic, magic == kLabelMagic ? "labels" : "images");
  }
  std::vector<std::uint32_t> sizes;
  std::uint64_t left = file.size() - header_bytes;
  for (std::size_t i = 1; i <= dimensions; ++i) sizes.push_back(word_at(file, i));
  for (std::size_t i = 1; i < dimensions; ++i) {
    if (sizes[i] == 0 || left % sizes[i] != 0) {
      left = 0;
      break;
    }
    left /= sizes[i];
  }
  if (left == sizes[0] && left > 0) return sizes;
  std::string said = std::to_string(sizes[0]);
  for (std::size_t i = 1; i < dimensions; ++i) said += " x " + std::to_string(sizes[i]);
  fail_usage("{}: its header says {}; that does not agree with its {} bytes", source.name(), said,
             file.size());
}

void check_shape(const SourceText& source, const std::vector<std::uint32_t>& sizes,
                 const ImageShape& shape) {
  const std::uint32_t channels = sizes.size() == 4 ? sizes[3] : 1;
  if (sizes[1] == static_cast<std::uint32_t>(shape.height) &&
      sizes[2] == static_cast<std::uint32_t>(shape.width) &&
      channels == static_cast<std::uint32_t>(shape.channels)) {
    return;
  }
  fail_usage("{}: images of {}x{}x{}; expected {}x{}x{}", source.name(), sizes[1], sizes[2],
             channels, shape.height, shape.width, shape.channels);
}

void read_labels(const SourceText& source, std::uint32_t images, Range range, FileRows& rows) {
  const std::uint32_t count = read_sizes(source, kLabelMagic)[0];
  if (count != images) {
    fail_usage("{}: {}; expected {}, as there are images", source.name(), count_of(count, "label"),
               images);
  }
  constexpr std::int64_t kHeaderBytes = 8;
  rows.labels.reserve(static_cast<std::size_t>(range.size()));
  for (std::int64_t i = range.first; i < range.last; ++i) {
    rows.labels.push_back(
        static_cast<unsigned char>(source.text()[static_cast<std::size_t>(kHeaderBytes + i)]));
  }
  rows.labelled = true;
}

// Whether a file starts as IDX images or labels do.
bool is_idx(std::string_view file) {
  if (file.size() < 4) return false;
  const std::uint32_t magic = word_at(file, 0);
  return magic == kImageMagic || magic == kColourMagic || magic == kLabelMagic;
}

class IdxSource : public Source {
 public:
  explicit IdxSource(std::unique_ptr<SourceTexts> texts) : texts_(std::move(texts)) {}

  const char* format() const override { return "IDX"; }
  const std::string& name() const override { return images().name(); }
  std::uint64_t bytes() const override { return images().text().size(); }
  std::uint64_t packed_bytes() const override { return images().packed_bytes(); }

  ImageShape shape(const DataOptions& /*options*/) const override {
    const std::vector<std::uint32_t> sizes = read_sizes(images(), magic());
    const auto size = [&](std::size_t i) { return static_cast<int>(sizes[i]); };
    return {size(1), size(2), sizes.size() == 4 ? size(3) : 1};
  }

  Look look(const DataOptions& options, Labels labels) const override {
    const std::vector<std::uint32_t> sizes = read_sizes(images(), magic());
    check_shape(images(), sizes, options.shape);
    if (!texts_->labels && labels == Labels::kRequired) {
      fail_usage("{}: IDX images without labels; expected the field `labels` of the source too",
                 name());
    }
    return {options, "", sizes[0]};
  }

  FileRows read(const DataOptions& options, Labels labels, FilePart part) const override;

  std::string place_of_label(const DataOptions& options, FilePart part,
                             std::int64_t index) const override {
    const auto rows = look(options, Labels::kOptional).rows;
    return fmt::format("{}: row {}", texts_->labels->name(),
                       share_of(*rows, part.count, part.index).first + index);
  }

 private:
  const SourceText& images() const { return texts_->images; }
  std::uint32_t magic() const {
    const std::string_view text = images().text();
    return text.size() >= 4 && word_at(text, 0) == kColourMagic ? kColourMagic : kImageMagic;
  }

  std::unique_ptr<SourceTexts> texts_;
};

// In equal parts by row.
FileRows IdxSource::read(const DataOptions& options, Labels /*labels*/, FilePart part) const {
  const std::vector<std::uint32_t> sizes = read_sizes(images(), magic());
  const Range range = share_of(sizes[0], part.count, part.index);
  FileRows rows;
  rows.count = range.size();
  rows.pixels_per_row = options.shape.pixels();
  if (texts_->labels) read_labels(*texts_->labels, sizes[0], range, rows);
  const std::size_t row_bytes = rows.row_bytes();
  rows.pixels = ZeroedPages(static_cast<std::size_t>(rows.count) * row_bytes);
  const std::size_t header_bytes = 4 * (1 + sizes.size());
  const char* from =
      images().text().data() + header_bytes + static_cast<std::size_t>(range.first) * row_bytes;
  for (std::int64_t i = 0; i < rows.count; ++i, from += row_bytes) {
    std::memcpy(rows.bytes_of_row(i), from, row_bytes);
    rows.add_digest_of(i);
  }
  return rows;
}

}  // namespace

const TextFormat kIdx = {
    .recognizes =
        [](const SourceTexts& texts) { return texts.labels || is_idx(texts.images.text()); },
    .open = [](std::unique_ptr<SourceTexts> texts) -> std::unique_ptr<Source> {
      return std::make_unique<IdxSource>(std::move(texts));
    }};

}  // namespace lockstep
