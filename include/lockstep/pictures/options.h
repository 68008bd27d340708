// How a picture of any size becomes one of a given shape. Plain values, the only home of
// their defaults.
#pragma once

namespace lockstep {

enum class Fit {
  kStretch,  // each axis by a factor of its own
  kFit,      // the whole picture, on a background
  kCrop,     // the middle that fills the shape
};

enum class Resampling {
  kArea,      // means over areas; bilinear where a picture grows
  kBilinear,  // a triangle as wide as an output pixel
};

struct PictureFitOptions {
  Fit fit = Fit::kStretch;
  Resampling resampling = Resampling::kArea;
  int background = 0;  // level from 0 to 255 around a picture that is fitted
};

}  // namespace lockstep
