// Which row is a sample of a step, and how its image is moved: what is decided on the host
// wherever the image is then formed. Plain values; any thread.
#pragma once

#include <cstdint>

namespace lockstep {

// Output pixel (x, y) is taken from the image at (xx x + xy y + x0, -xy x + xx y + y0),
// counted from one pixel left of it and above.
struct SourceMap {
  float xx = 1;
  float xy = 0;
  float x0 = 1;
  float y0 = 1;
};

struct DrawnSample {
  std::int64_t slot = 0;   // among the lane's rows
  std::uint64_t row = 0;   // number in the source, from 0
  std::int32_t label = 0;  // in [0, classes)
  SourceMap map;           // of the augmentation
};

}  // namespace lockstep
