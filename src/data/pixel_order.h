// Brings the pixels of a row from the order of a source into the one that all have: rows of
// the image, in them columns, in them channels. Any thread, with an object of its own.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/data/options.h"

namespace lockstep {

class PixelOrder {
 public:
  // The steps from a value to the one below it, right of it and of the next channel.
  PixelOrder(const ImageShape& shape, std::int64_t down, std::int64_t right, std::int64_t deep);
  // kPlanar is [channels, height, width], kTransposed is [width, height, channels].
  static PixelOrder of(PixelLayout layout, const ImageShape& shape);

  // Whether they stand so already.
  bool is_plain() const { return places_.empty(); }
  // Puts the values of a row in that order.
  template <typename Value>
  void arrange(std::span<const Value> values, std::span<float> pixels) const {
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = static_cast<float>(values[is_plain() ? i : places_[i]]);
    }
  }

  // The same where they stand; pixels [shape.pixels()].
  void apply(std::uint8_t* pixels) {
    if (!is_plain()) turn(pixels, bytes_);
  }
  void apply(float* pixels) {
    if (!is_plain()) turn(pixels, floats_);
  }

 private:
  template <typename Pixel>
  void turn(Pixel* pixels, std::vector<Pixel>& before);

  std::vector<std::uint32_t> places_;  // in the source, by place; empty where it is the same
  std::vector<std::uint8_t> bytes_;
  std::vector<float> floats_;
};

}  // namespace lockstep
