// A picture that stands for a larger one. Plain values.
#pragma once

#include "lockstep/pictures/picture.h"

namespace lockstep {

// How a picture was reduced: each of its pixels covers `factor` x `factor` pixels of the
// whole one. Where that does not divide the whole's sides, the outermost pixels reach beyond
// it, by `left` and `top` of the whole's pixels at the beginning.
struct Reduction {
  int width = 0;  // of the whole
  int height = 0;
  int factor = 1;
  int left = 0;
  int top = 0;
};

struct ReducedPicture {
  Picture picture;
  Reduction reduction;
};

}  // namespace lockstep
