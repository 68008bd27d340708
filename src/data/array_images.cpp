#include "data/array_images.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "data/rows_builder.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr std::int64_t kMostSide = 1 << 20;
constexpr std::int64_t kMostPixels = 1 << 28;
// Whole numbers up to it are floats.
constexpr double kLargestWhole = 1 << 24;

std::string text_of(const ImageShape& shape) {
  return fmt::format("{}x{}x{}", shape.height, shape.width, shape.channels);
}

// The sizes of a row, which are at least one and of which a row's pixels are the product.
std::vector<int> row_sizes(const NpyArray& images) {
  std::vector<int> sizes;
  std::int64_t pixels = 1;
  for (std::size_t i = 1; i < images.shape.size(); ++i) {
    const std::int64_t size = images.shape[i];
    pixels *= std::clamp<std::int64_t>(size, 0, kMostSide);
    if (size > kMostSide || pixels == 0 || pixels > kMostPixels) {
      fail_usage("{}: {}; expected rows of 1 to {} values", images.name, images.shape_text(),
                 kMostPixels);
    }
    sizes.push_back(static_cast<int>(size));
  }
  return sizes;
}

// The readings of a row, the usual one first.
std::vector<ArrayLayout> readings_of(const NpyArray& images,
                                     const std::optional<ImageShape>& wanted, PixelLayout flat) {
  if (images.shape.size() < 2 || images.shape.size() > 4) {
    fail_usage(
        "{}: {}; expected images: [rows, height, width], [rows, height, width, channels], "
        "[rows, channels, height, width] or [rows, pixels]",
        images.name, images.shape_text());
  }
  const std::vector<int> sizes = row_sizes(images);
  if (sizes.size() == 2) return {{{sizes[0], sizes[1], 1}, PixelLayout::kInterleaved}};
  if (sizes.size() == 3) {
    return {{{sizes[0], sizes[1], sizes[2]}, PixelLayout::kInterleaved},
            {{sizes[1], sizes[2], sizes[0]}, PixelLayout::kPlanar}};
  }
  const bool fits = wanted && wanted->pixels() == sizes[0];
  return {{fits ? *wanted : guessed_shape(sizes[0]), flat}};
}

}  // namespace

ArrayLayout layout_of(const NpyArray& images, const std::optional<ImageShape>& wanted,
                      PixelLayout flat) {
  const std::vector<ArrayLayout> readings = readings_of(images, wanted, flat);
  if (readings.size() == 1 && !wanted) return readings[0];
  std::vector<ArrayLayout> fitting;
  std::string seen;
  for (const ArrayLayout& reading : readings) {
    const int channels = reading.shape.channels;
    const bool fits = wanted ? reading.shape == *wanted : channels == 1 || channels == 3;
    if (fits) fitting.push_back(reading);
    seen += (seen.empty() ? "" : " or ") + text_of(reading.shape);
  }
  if (fitting.size() == 1) return fitting[0];
  if (wanted && fitting.empty()) {
    fail_usage("{}: {}, images of {}; expected {}", images.name, images.shape_text(), seen,
               text_of(*wanted));
  }
  fail_usage("{}: {} can be images of {}; expected sizes that tell channels from sides{}",
             images.name, images.shape_text(), seen, wanted ? "" : ", or data.shape");
}

std::vector<std::int32_t> labels_of(const NpyArray& labels, Range range) {
  const std::size_t dimensions = labels.shape.size();
  if (dimensions < 1 || dimensions > 2 || (dimensions == 2 && labels.shape[1] == 0)) {
    fail_usage("{}: {}; expected labels: [rows], [rows, 1] or one-hot [rows, classes]", labels.name,
               labels.shape_text());
  }
  const std::int64_t width = dimensions == 2 ? labels.shape[1] : 1;
  if (width > std::numeric_limits<std::int32_t>::max()) {
    fail_usage("{}: {}; expected fewer classes", labels.name, labels.shape_text());
  }
  std::vector<double> values(static_cast<std::size_t>(width));
  std::vector<std::int32_t> read;
  for (std::int64_t row = range.first; row < range.last; ++row) {
    read_npy(labels, {row * width, (row + 1) * width}, values);
    if (width == 1) {
      const double value = values[0];
      if (value != std::floor(value) ||
          std::abs(value) > std::numeric_limits<std::int32_t>::max()) {
        fail_usage("{}: row {} has the label {}; expected a whole number", labels.name, row, value);
      }
      read.push_back(static_cast<std::int32_t>(value));
      continue;
    }
    const auto ones = std::ranges::count(values, 1.0);
    if (ones + std::ranges::count(values, 0.0) != width) {
      fail_usage("{}: row {} has other values than 0 and 1; expected one-hot labels", labels.name,
                 row);
    }
    if (ones != 1) {
      fail_usage("{}: row {} has {} labels; expected one: rows of several classes are not trained",
                 labels.name, row, ones);
    }
    read.push_back(static_cast<std::int32_t>(std::ranges::find(values, 1.0) - values.begin()));
  }
  return read;
}

void check_values(const NpyArray& images, std::int64_t row, std::span<const double> values) {
  const bool real = images.kind == NpyKind::kFloat;
  const double most = real ? std::numeric_limits<float>::max() : kLargestWhole;
  // What is not a number is not within it.
  const auto within = [&](double value) { return std::abs(value) <= most; };
  const auto bad = std::ranges::find_if_not(values, within);
  if (bad == values.end()) return;
  fail_usage("{}: row {} has {} as its value {}; expected {}", images.name, row, *bad,
             bad - values.begin(),
             real ? "finite numbers" : fmt::format("whole numbers up to {:g}", most));
}

}  // namespace lockstep
