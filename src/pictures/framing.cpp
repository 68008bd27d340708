#include "lockstep/pictures/framing.h"

#include <algorithm>

namespace lockstep {

Framing assumed_framing(const ImageShape& shape) {
  Framing framing;
  framing.framed = shape.channels == 1;
  framing.longer_side_pixels = 5.0 / 7.0 * std::min(shape.width, shape.height);
  return framing;
}

}  // namespace lockstep
