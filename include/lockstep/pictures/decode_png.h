// Pictures from PNG files. Local, any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "lockstep/pictures/picture.h"

namespace lockstep {

inline constexpr std::int64_t kMostPicturePixels = 64'000'000;

// The picture in `file`, the bytes of a PNG of any kind: over the level `background`
// (white) where it is transparent, with 8 bits a channel, as one channel of grey (luma of
// ITU-R BT.601) or as three of colour; profiles and gamma are ignored. Takes `channels`
// bytes of memory a pixel, 4 more for interlaced files, and none before the size is checked.
// Error (2) for bytes that are not a whole PNG, and for more than `most_pixels` pixels.
Picture decode_png(std::string_view file, int channels,
                   std::int64_t most_pixels = kMostPicturePixels, int background = 255);

}  // namespace lockstep
