// Scaling by area averaging.
#pragma once

#include <vector>

#include "lockstep/pictures/picture.h"

namespace lockstep {

// Where a picture lies on the pixels of an image: its pixel (x, y) covers
// [left + x scale_x, left + (x + 1) scale_x) and likewise downwards.
struct Placement {
  double scale_x = 1;
  double scale_y = 1;
  double left = 0;
  double top = 0;
};

// The image [height, width, channels] of a picture so placed: each pixel the mean
// over its area, which counts as 0 where the picture does not cover it.
std::vector<double> area_means(const Picture& picture, const Placement& placement, int width,
                               int height);

// The whole picture as one of another size.
Picture scaled(const Picture& picture, int width, int height);

// The nearest level of [0, 255].
std::uint8_t to_level(double value);

}  // namespace lockstep
