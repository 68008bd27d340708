// Reduced pictures brought to a shape. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/pictures/options.h"
#include "pictures/reduced_picture.h"

namespace lockstep {

// The most of 1, 2, 4 and 8 by which a picture may be reduced so that no pixel of the result
// has less than one of the reduced picture's, along either axis, to be made from.
int most_reduction(int width, int height, const ImageShape& shape, Fit fit);

// As fit_picture does with the whole picture.
std::vector<std::uint8_t> fit_reduced(const Picture& picture, const Reduction& reduction,
                                      const ImageShape& shape, const PictureFitOptions& options);

}  // namespace lockstep
