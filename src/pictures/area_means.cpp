#include "pictures/area_means.h"

#include <algorithm>
#include <cstddef>

namespace lockstep {

namespace {

// The pixels of the picture, along one axis, that lie on one pixel of the image.
struct Cover {
  std::size_t first = 0;
  std::vector<double> parts;  // of the image's pixel, by picture's pixel from `first`
};

std::vector<Cover> covers_of(int size, int image_size, double scale, double offset) {
  std::vector<Cover> covers(static_cast<std::size_t>(image_size));
  for (int i = 0; i < image_size; ++i) {
    const double begin = std::clamp((i - offset) / scale, 0.0, static_cast<double>(size));
    const double end = std::clamp((i + 1 - offset) / scale, 0.0, static_cast<double>(size));
    Cover& cover = covers[static_cast<std::size_t>(i)];
    const int first = static_cast<int>(begin);
    cover.first = static_cast<std::size_t>(first);
    for (int pixel = first; pixel < end; ++pixel) {
      cover.parts.push_back((std::min(pixel + 1.0, end) - std::max<double>(pixel, begin)) * scale);
    }
  }
  return covers;
}

// Adds `part` of a row of the picture to a row of the image.
void add_row(const std::uint8_t* row, std::size_t channels, const std::vector<Cover>& columns,
             double part, double* image) {
  for (const Cover& column : columns) {
    const std::uint8_t* pixel = row + column.first * channels;
    for (const double part_of_pixel : column.parts) {
      for (std::size_t c = 0; c < channels; ++c) image[c] += part * part_of_pixel * *pixel++;
    }
    image += channels;
  }
}

}  // namespace

std::vector<double> area_means(const Picture& picture, const Placement& placement, int width,
                               int height) {
  const auto columns = covers_of(picture.width, width, placement.scale_x, placement.left);
  const auto rows = covers_of(picture.height, height, placement.scale_y, placement.top);
  const auto channels = static_cast<std::size_t>(picture.channels);
  const std::size_t row_bytes = static_cast<std::size_t>(picture.width) * channels;
  std::vector<double> image(rows.size() * columns.size() * channels, 0.0);
  double* to = image.data();
  for (const Cover& row : rows) {
    const std::uint8_t* from = picture.pixels.data() + row.first * row_bytes;
    for (const double part : row.parts) {
      add_row(from, channels, columns, part, to);
      from += row_bytes;
    }
    to += columns.size() * channels;
  }
  return image;
}

Picture scaled(const Picture& picture, int width, int height) {
  const Placement placement{static_cast<double>(width) / picture.width,
                            static_cast<double>(height) / picture.height};
  Picture result{width, height, picture.channels, {}};
  for (const double level : area_means(picture, placement, width, height)) {
    result.pixels.push_back(to_level(level));
  }
  return result;
}

std::uint8_t to_level(double value) {
  return static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0) + 0.5);
}

}  // namespace lockstep
