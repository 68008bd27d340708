// A picture of any size brought to a shape. Pure, any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/pictures/options.h"
#include "lockstep/pictures/picture.h"

namespace lockstep {

// The pixels [shape.pixels()] of `picture`, whose channels must be those of `shape`. The
// result has the same bits on every machine: all sums are of whole numbers, and the levels
// are those of exact arithmetic, rounded half up. (For the triangles of kBilinear the
// weights are rounded to 1/65536 where they would be too large for exact sums.)
//
// With Fit::kFit the shorter side is rounded half up, is 1 at least, and of an odd margin
// the larger half is to the right or below. With Fit::kCrop the cut is in the middle to less
// than a pixel of the result.
std::vector<std::uint8_t> fit_picture(const Picture& picture, const ImageShape& shape,
                                      const PictureFitOptions& options);

}  // namespace lockstep
