// Which row is a sample of a step, and what becomes of its image: what is decided on the host
// wherever the image is then formed. Plain values; any thread.
#pragma once

#include <cstdint>

#include "lockstep/core/image_formulas.h"

namespace lockstep {

struct DrawnSample {
  std::int64_t slot = 0;   // among the lane's rows
  std::uint64_t row = 0;   // number in the source, from 0
  std::int32_t label = 0;  // in [0, classes)
  SourceMap map = {};      // of the augmentation, as are those below
  ImageChange change = {};
  ImageMix mix = {};
  std::int32_t other_label = 0;  // of the sample that is mixed in
};

}  // namespace lockstep
