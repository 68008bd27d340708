// The formulas of changed and mixed training images; see formulas.h.
#pragma once

#include "lockstep/core/formulas.h"

namespace lockstep {

// The pixels (x, y) with left <= x < right and top <= y < bottom.
struct PixelBox {
  int left = 0;
  int top = 0;
  int right = 0;
  int bottom = 0;
};

// How the image of a row becomes that of a sample, beside its SourceMap. The default changes
// nothing.
struct ImageChange {
  int crop_x = 0;  // which pixel of the (moved) image comes first; it may be outside
  int crop_y = 0;
  int mirrored = 0;  // 1: left and right are swapped then
  float gain = 1;    // a value becomes gain value + shift
  float shift = 0;
  PixelBox erased = {};  // set to one pixel
};

// What is mixed into a sample. The default is nothing.
struct ImageMix {
  int partner = 0;       // the other sample's index among those of its lane and step
  float part = 1;        // of the sample's own values; the others' is the rest
  PixelBox pasted = {};  // where all is the other's
  float label_part = 1;  // of the sample's own label
};

namespace formula {

LOCKSTEP_FORMULA bool contains(const PixelBox& box, int x, int y) {
  return x >= box.left && x < box.right && y >= box.top && y < box.bottom;
}

// The column of the (moved) image that column x of the sample shows; outside of it, too.
LOCKSTEP_FORMULA int shown_column(const ImageChange& change, int width, int x) {
  return (change.mirrored != 0 ? width - 1 - x : x) + change.crop_x;
}

LOCKSTEP_FORMULA float toned(const ImageChange& change, float lowest, float highest, float value) {
  const float changed = change.gain * value + change.shift;
  const float raised = changed < lowest ? lowest : changed;
  return highest < raised ? highest : raised;
}

LOCKSTEP_FORMULA float mixed(float part, float own, float other) {
  return part * own + (1 - part) * other;
}

}  // namespace formula

}  // namespace lockstep
