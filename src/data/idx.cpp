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

void read_labels(const SourceText& source, std::uint32_t images, int classes, Range range,
                 FileRows& rows) {
  const std::uint32_t count = read_sizes(source, kLabelMagic)[0];
  if (count != images) {
    fail_usage("{}: {}; expected {}, as there are images", source.name(), count_of(count, "label"),
               images);
  }
  constexpr std::int64_t kHeaderBytes = 8;
  rows.labels.reserve(static_cast<std::size_t>(range.size()));
  for (std::int64_t i = range.first; i < range.last; ++i) {
    const int label =
        static_cast<unsigned char>(source.text()[static_cast<std::size_t>(kHeaderBytes + i)]);
    if (label >= classes) {
      fail_usage("{}: label {} of row {} is out of range; expected a label from 0 to {}",
                 source.name(), label, i, classes - 1);
    }
    rows.labels.push_back(label);
  }
  rows.labelled = true;
}

// Whether a file starts as IDX images or labels do.
bool is_idx(std::string_view file) {
  if (file.size() < 4) return false;
  const std::uint32_t magic = word_at(file, 0);
  return magic == kImageMagic || magic == kColourMagic || magic == kLabelMagic;
}

SourceSizes idx_sizes(const SourceFiles& files, const std::string&) {
  const SourceText& images = files.images;
  const bool colour = images.text().size() >= 4 && word_at(images.text(), 0) == kColourMagic;
  const std::vector<std::uint32_t> sizes = read_sizes(images, colour ? kColourMagic : kImageMagic);
  const auto size = [&](std::size_t i) { return static_cast<int>(sizes[i]); };
  return {{size(1), size(2), colour ? size(3) : 1}, sizes[0]};
}

// The images of `part` of all rows, in equal parts by row, with their labels.
FileRows read_idx(const SourceFiles& files, const DataOptions& options, Labels labels,
                  FilePart part) {
  const SourceText& images = files.images;
  const std::uint32_t magic = options.shape.channels == 1 ? kImageMagic : kColourMagic;
  const std::vector<std::uint32_t> sizes = read_sizes(images, magic);
  check_shape(images, sizes, options.shape);
  if (!files.labels && labels == Labels::kRequired) {
    fail_usage("{}: IDX images without labels; expected the field `labels` of the source too",
               images.name());
  }
  const Range range = share_of(sizes[0], part.count, part.index);
  FileRows rows;
  rows.count = range.size();
  rows.pixels_per_row = options.shape.pixels();
  if (files.labels) {
    read_labels(*files.labels, sizes[0], options.classes, range, rows);
  }
  const auto row_bytes = static_cast<std::size_t>(rows.pixels_per_row);
  rows.pixels = ZeroedPages(static_cast<std::size_t>(rows.count) * row_bytes);
  const std::size_t header_bytes = 4 * (1 + sizes.size());
  const char* from =
      images.text().data() + header_bytes + static_cast<std::size_t>(range.first) * row_bytes;
  for (std::int64_t i = 0; i < rows.count; ++i, from += row_bytes) {
    std::memcpy(rows.pixels.data() + i * rows.pixels_per_row, from, row_bytes);
    rows.add_digest_of(i);
  }
  return rows;
}

}  // namespace

const SourceFormat kIdx = {
    .name = "IDX",
    .recognizes =
        [](const SourceFiles& files) { return files.labels || is_idx(files.images.text()); },
    .sizes = idx_sizes,
    .read = read_idx};

}  // namespace lockstep
