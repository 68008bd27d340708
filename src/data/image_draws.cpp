#include "data/image_draws.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lockstep/core/philox.h"

namespace lockstep {

namespace {

// The blocks of a row's words, by what they are for: what is switched on changes nothing else.
enum Block : std::uint32_t { kMove = 0, kPlace = 1, kErase = 2, kTone = 4, kMix = 8 };

// Words of a row in an epoch, from the first of `block` on.
class Words {
 public:
  Words(const RowInEpoch& key, Block block) : key_(key), block_(block) {}

  std::uint32_t next() {
    if (used_ == 4) {
      ++block_;
      used_ = 0;
    }
    if (used_ == 0) {
      words_ =
          philox(philox_key(key_.seed, Purpose::kAugment),
                 {static_cast<std::uint32_t>(key_.row), static_cast<std::uint32_t>(key_.row >> 32),
                  static_cast<std::uint32_t>(key_.epoch), block_});
    }
    return words_[used_++];
  }

  float unit() { return unit_interval(next()); }  // in [0, 1)
  float symmetric(float limit) { return (2 * unit() - 1) * limit; }
  double above_zero() { return (next() + 1.0) * 0x1.0p-32; }  // in (0, 1]
  int below(int limit) {
    return static_cast<int>(std::uint64_t{next()} * static_cast<std::uint64_t>(limit) >> 32);
  }

 private:
  RowInEpoch key_;
  std::uint32_t block_;
  std::size_t used_ = 0;
  PhiloxBlock words_{};
};

// Box and Muller, "A Note on the Generation of Random Normal Deviates", 1958.
double draw_normal(Words& words) {
  const double radius = std::sqrt(-2 * std::log(words.above_zero()));
  return radius * std::cos(2 * std::numbers::pi * words.above_zero());
}

// The logarithm of a draw from Gamma(a, 1): Marsaglia and Tsang, "A Simple Method for Generating
// Gamma Variables", 2000; below 1 by their section 6.
double draw_log_gamma(double a, Words& words) {
  if (a < 1) {
    const double above = draw_log_gamma(a + 1, words);
    return above + std::log(words.above_zero()) / a;
  }
  const double d = a - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = draw_normal(words);
    const double root = 1 + c * x;
    const double u = words.above_zero();
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(u) < x * x / 2 + d - d * v + d * std::log(v)) return std::log(d * v);
  }
}

// Beta(a, a) as X / (X + Y) of two draws from Gamma(a, 1).
double draw_beta(double a, Words& words) {
  const double log_x = draw_log_gamma(a, words);
  const double log_y = draw_log_gamma(a, words);
  return 1 / (1 + std::exp(log_y - log_x));
}

PixelBox draw_erased(const EraseOptions& options, const ImageShape& shape, Words& words) {
  constexpr float kMostRatio = 3;
  if (words.unit() >= options.probability) return {};
  int width = std::min(options.side_pixels, shape.width);
  int height = std::min(options.side_pixels, shape.height);
  const float part =
      options.smallest_area + words.unit() * (options.largest_area - options.smallest_area);
  const float turn = words.symmetric(1);
  if (options.side_pixels == 0) {
    const float area = part * static_cast<float>(shape.height * shape.width);
    const float ratio = std::exp(turn * std::log(kMostRatio));
    const auto side = [](float pixels, int most) {
      return std::clamp(static_cast<int>(std::lround(pixels)), 1, most);
    };
    width = side(std::sqrt(area / ratio), shape.width);
    height = side(std::sqrt(area * ratio), shape.height);
  }
  const int left = words.below(shape.width - width + 1);
  const int top = words.below(shape.height - height + 1);
  return {left, top, left + width, top + height};
}

// Yun et al., "CutMix", 2019, appendix A: a box of (1 - part) of the area about a uniform centre,
// of which what is outside is left out.
PixelBox draw_pasted(double part, const ImageShape& shape, Words& words) {
  const double side = std::sqrt(1 - part);
  const int half_width = static_cast<int>(shape.width * side) / 2;
  const int half_height = static_cast<int>(shape.height * side) / 2;
  const int x = words.below(shape.width);
  const int y = words.below(shape.height);
  return {std::max(x - half_width, 0), std::max(y - half_height, 0),
          std::min(x + half_width, shape.width), std::min(y + half_height, shape.height)};
}

}  // namespace

AffineTransform draw_transform(const AugmentationOptions& options, const RowInEpoch& key) {
  Words words(key, kMove);
  AffineTransform transform;
  transform.angle_radians =
      words.symmetric(options.rotation_degrees) * (std::numbers::pi_v<float> / 180);
  transform.shift_x_pixels = words.symmetric(options.translation_pixels);
  transform.shift_y_pixels = words.symmetric(options.translation_pixels);
  transform.scale = 1 + words.symmetric(options.scale);
  return transform;
}

// Input coordinates are counted from one pixel left of the image and above.
SourceMap source_map(const AffineTransform& transform, const ImageShape& shape) {
  const float centre_x = static_cast<float>(shape.width - 1) / 2;
  const float centre_y = static_cast<float>(shape.height - 1) / 2;
  const float xx = std::cos(transform.angle_radians) / transform.scale;
  const float xy = std::sin(transform.angle_radians) / transform.scale;
  const float from_x = centre_x + transform.shift_x_pixels;
  const float from_y = centre_y + transform.shift_y_pixels;
  return {xx, xy, centre_x + 1 - xx * from_x - xy * from_y,
          centre_y + 1 + xy * from_x - xx * from_y};
}

ImageChange draw_change(const AugmentationOptions& options, const ImageShape& shape,
                        const ValueRange& range, float mean, const RowInEpoch& key) {
  ImageChange change;
  const int margin = options.crop_padding_pixels;
  if (options.flip != 0 || margin != 0) {
    Words place(key, kPlace);
    change.mirrored = place.unit() < options.flip ? 1 : 0;
    change.crop_x = place.below(2 * margin + 1) - margin;
    change.crop_y = place.below(2 * margin + 1) - margin;
  }
  if (options.erase) {
    Words erase(key, kErase);
    change.erased = draw_erased(*options.erase, shape, erase);
  }
  if (!options.tones()) return change;
  Words tone(key, kTone);
  const float brightness = 1 + tone.symmetric(options.brightness);
  const float contrast = 1 + tone.symmetric(options.contrast);
  const float black = range.lowest;
  const float bright_mean = black + brightness * (mean - black);
  change.gain = contrast * brightness;
  change.shift = contrast * (1 - brightness) * black + (1 - contrast) * bright_mean;
  return change;
}

ImageMix draw_mix(const AugmentationOptions& options, const ImageShape& shape,
                  const RowInEpoch& key) {
  ImageMix mix;
  Words words(key, kMix);
  const bool second = words.next() >> 31 != 0;
  const bool blends = options.cutmix_alpha == 0 || (options.mixup_alpha != 0 && !second);
  const double part = draw_beta(blends ? options.mixup_alpha : options.cutmix_alpha, words);
  if (blends) {
    mix.part = mix.label_part = static_cast<float>(part);
    return mix;
  }
  mix.pasted = draw_pasted(part, shape, words);
  const int area = (mix.pasted.right - mix.pasted.left) * (mix.pasted.bottom - mix.pasted.top);
  mix.label_part = 1 - static_cast<float>(area) / static_cast<float>(shape.height * shape.width);
  return mix;
}

}  // namespace lockstep
