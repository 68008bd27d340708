// How the images that a model was trained on frame their subject: what a picture
// from outside must be brought to. Plain values; any thread.
#pragma once

#include <algorithm>

#include "lockstep/core/batch.h"

namespace lockstep {

struct Framing {
  // Whether subjects stand before one uniform background. The other values count
  // only then.
  bool framed = false;
  double background = 0;          // its level, in [0, 255]
  double foreground = 255;        // the level farthest from it, mean over images
  double longer_side_pixels = 0;  // of the box around the subject, mean over images

  bool operator==(const Framing&) const = default;
};

// For weights that do not tell: images of one channel are taken to be light on
// dark, the subject's longer side 5/7 of the image's shorter one (20 of 28, as in
// MNIST); others not to be framed.
inline Framing assumed_framing(const ImageShape& shape) {
  Framing framing;
  framing.framed = shape.channels == 1;
  framing.longer_side_pixels = 5.0 / 7.0 * std::min(shape.width, shape.height);
  return framing;
}

}  // namespace lockstep
