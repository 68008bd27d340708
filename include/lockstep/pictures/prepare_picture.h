// A picture as a network wants it. Local, any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/pictures/framing.h"
#include "lockstep/pictures/picture.h"

namespace lockstep {

// The pixels [shape.pixels()] of a training image that shows what `picture` shows,
// before normalization; `picture.channels` must be `shape.channels`.
//
// Where training images are framed, the subject of the picture is what differs from
// the median of its outermost pixels, to the side, lighter or darker, where there is
// more of it; its box holds the pixels that differ by at least a quarter of the most
// that one does. The box is scaled by area averaging to the training images' longer
// side, its contrast to theirs, and placed so that its centre of mass is in the middle,
// or as near as the whole box fits. A picture of `shape` already is only inverted, and
// that only if need be. Error (2) when there is no subject: no pixel differs by 16.
//
// Elsewhere the whole picture is scaled to `shape` by area averaging.
std::vector<std::uint8_t> prepare_picture(const Picture& picture, const ImageShape& shape,
                                          const Framing& framing);

}  // namespace lockstep
