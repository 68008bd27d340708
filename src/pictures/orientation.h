// How a camera was held, as its pictures' files say. Pure.
#pragma once

#include <string_view>

#include "pictures/reduced_picture.h"

namespace lockstep {

// Of a JPEG file, as the tag of that name in its EXIF data has it: from 1, upright, to 8.
// It is 1 where there is no such tag, or none that is as it must be.
int orientation_of(std::string_view jpeg_file);

// Whether a picture of that orientation lies on its side.
inline bool swaps_sides(int orientation) { return orientation >= 5; }

// The picture upright.
ReducedPicture upright(ReducedPicture reduced, int orientation);

}  // namespace lockstep
