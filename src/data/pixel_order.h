// Brings the pixels of a row from the order of a source into the one that all have: rows of
// the image, in them columns, in them channels. Any thread, with an object of its own.
#pragma once

#include <cstdint>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/data/options.h"

namespace lockstep {

class PixelOrder {
 public:
  // kPlanar is [channels, height, width], kTransposed is [width, height, channels].
  PixelOrder(const ImageShape& shape, PixelLayout layout);

  // pixels [shape.pixels()]
  void apply(std::uint8_t* pixels) {
    if (!places_.empty()) turn(pixels, bytes_);
  }
  void apply(float* pixels) {
    if (!places_.empty()) turn(pixels, floats_);
  }

 private:
  template <typename Pixel>
  void turn(Pixel* pixels, std::vector<Pixel>& before);

  std::vector<std::uint32_t> places_;  // in the source, by place; empty where it is the same
  std::vector<std::uint8_t> bytes_;
  std::vector<float> floats_;
};

}  // namespace lockstep
