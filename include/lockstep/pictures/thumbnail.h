// A small picture of a row, for galleries. Plain values; any thread.
#pragma once

#include <cstdint>
#include <span>

#include "lockstep/core/batch.h"
#include "lockstep/pictures/picture.h"

namespace lockstep {

// Pixels of a longer side than this are averaged in square blocks.
inline constexpr int kThumbnailSide = 64;

// pixels [shape.pixels()]. Images of 3 channels are in colour; of any other number
// the first channel is shown.
Picture make_thumbnail(const ImageShape& shape, std::span<const std::uint8_t> pixels);

}  // namespace lockstep
