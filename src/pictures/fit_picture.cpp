#include "lockstep/pictures/fit_picture.h"

#include <algorithm>
#include <cstddef>

#include "lockstep/core/error.h"
#include "lockstep/pictures/decode_image.h"
#include "pictures/fit.h"
#include "pictures/resample.h"

namespace lockstep {

namespace {

// The whole side of a picture over `size` pixels.
Axis stretched(int side, int size) { return {.source_pixel = size, .pixel = side, .size = size}; }

// The middle of a side over `size` pixels, where the other side, all of it, is brought from
// `other_side` to `other_size`.
Axis cropped(int side, int size, int other_side, int other_size) {
  const std::int64_t rest =
      std::int64_t{side} * other_size - std::int64_t{size} * other_side;  // not negative
  return {.source_pixel = other_size, .pixel = other_side, .begin = rest / 2, .size = size};
}

// a b / c, rounded half up, and 1 at least.
int proportion(int a, int b, int c) {
  return static_cast<int>(std::max<std::int64_t>((2 * std::int64_t{a} * b + c) / (2 * c), 1));
}

struct Layout {
  Axis columns;
  Axis rows;
  int left = 0;  // where in the shape
  int top = 0;
};

Layout layout_of(int width, int height, const ImageShape& shape, Fit fit) {
  const bool is_wider =
      std::int64_t{width} * shape.height > std::int64_t{height} * shape.width;  // than the shape
  Layout layout{stretched(width, shape.width), stretched(height, shape.height)};
  if (fit == Fit::kCrop && is_wider) {
    layout.columns = cropped(width, shape.width, height, shape.height);
  } else if (fit == Fit::kCrop) {
    layout.rows = cropped(height, shape.height, width, shape.width);
  } else if (fit == Fit::kFit && is_wider) {
    layout.rows = stretched(height, proportion(height, shape.width, width));
    layout.top = (shape.height - layout.rows.size) / 2;
  } else if (fit == Fit::kFit) {
    layout.columns = stretched(width, proportion(width, shape.height, height));
    layout.left = (shape.width - layout.columns.size) / 2;
  }
  return layout;
}

// The same axis where pixels of the source are `reduction` times as wide and begin `lead`
// pixels of the whole picture before it.
Axis reduced_axis(Axis axis, int source_size, int reduction, int lead) {
  axis.source_size = source_size;
  axis.begin += lead * axis.source_pixel;
  axis.source_pixel *= reduction;
  return axis;
}

void check(const Picture& picture, const Reduction& reduction, const ImageShape& shape) {
  if (picture.channels != shape.channels) {
    fail_internal("a picture of {} channels; expected {}", picture.channels, shape.channels);
  }
  const int longest = std::max({reduction.width, reduction.height, shape.width, shape.height});
  const int shortest = std::min({picture.width, picture.height, shape.width, shape.height});
  if (shortest < 1 || longest > kMostImageSide) {
    fail_usage("a picture of {} x {} pixels for {} x {}; expected from 1 to {} along a side",
               reduction.width, reduction.height, shape.width, shape.height, kMostImageSide);
  }
}

}  // namespace

int most_reduction(int width, int height, const ImageShape& shape, Fit fit) {
  for (const int reduction : {8, 4, 2}) {
    const bool wide = std::int64_t{reduction} * shape.width <= width;
    const bool high = std::int64_t{reduction} * shape.height <= height;
    // The longer side decides where the whole picture is to lie within the shape.
    if (fit == Fit::kFit ? wide || high : wide && high) return reduction;
  }
  return 1;
}

std::vector<std::uint8_t> fit_reduced(const Picture& picture, const Reduction& reduction,
                                      const ImageShape& shape, const PictureFitOptions& options) {
  check(picture, reduction, shape);
  Layout layout = layout_of(reduction.width, reduction.height, shape, options.fit);
  layout.columns = reduced_axis(layout.columns, picture.width, reduction.factor, reduction.left);
  layout.rows = reduced_axis(layout.rows, picture.height, reduction.factor, reduction.top);
  const auto row_bytes =
      static_cast<std::size_t>(shape.width) * static_cast<std::size_t>(shape.channels);
  std::vector<std::uint8_t> pixels(row_bytes * static_cast<std::size_t>(shape.height),
                                   static_cast<std::uint8_t>(options.background));
  std::uint8_t* first = pixels.data() + static_cast<std::size_t>(layout.top) * row_bytes +
                        static_cast<std::size_t>(layout.left * shape.channels);
  resample(picture, layout.columns, layout.rows, options.resampling, first, row_bytes);
  return pixels;
}

std::vector<std::uint8_t> fit_picture(const Picture& picture, const ImageShape& shape,
                                      const PictureFitOptions& options) {
  return fit_reduced(picture, {picture.width, picture.height}, shape, options);
}

}  // namespace lockstep
