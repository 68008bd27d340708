// How pictures are brought to the shape of a network's images. Plain values; any thread.
#pragma once

#include <cstdint>

namespace lockstep {

enum class Fit : std::uint8_t {
  kStretch,  // the whole picture over the whole shape, whatever its proportions
  kFit,      // the whole picture in its proportions, in the middle of a background
  kCrop,     // the shape filled in the picture's proportions: its middle, the rest cut off
};

enum class Resampling : std::uint8_t {
  // Each pixel is the exact mean over its area; along an axis that grows, as kBilinear.
  kArea,
  // As Pillow's BILINEAR and torchvision's Resize (antialias=True): a triangle over the
  // pixels' centres, as wide as two pixels of the result where that is the smaller one.
  kBilinear,
};

struct PictureFitOptions {
  Fit fit = Fit::kStretch;
  Resampling resampling = Resampling::kArea;
  // The level, in [0, 255] and in every channel, of what lies behind a transparent picture
  // and beside one that Fit::kFit does not let fill the shape.
  int background = 255;
};

}  // namespace lockstep
