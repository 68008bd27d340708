#include "data/image_former.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "lockstep/core/clones.h"

namespace lockstep {

namespace {

std::vector<float> normalized(std::vector<float> pixel, const ImageShape& shape,
                              const Normalization& normalization) {
  if (!pixel.empty()) normalize(std::span(pixel), shape, normalization);
  return pixel;
}

// The part of the sample that shows pixels of the image and not the margin of the crop.
PixelBox inside_of(const ImageChange& change, const ImageShape& shape) {
  const int first = std::max(-change.crop_x, 0);
  const int last = shape.width - std::max(change.crop_x, 0);
  const bool mirrored = change.mirrored != 0;
  return {mirrored ? shape.width - last : first, std::max(-change.crop_y, 0),
          mirrored ? shape.width - first : last, shape.height - std::max(change.crop_y, 0)};
}

template <class Value>
void copy_reversed(const Value* from, int pixels, int channels, Value* to) {
  from += (pixels - 1) * channels;
  for (int x = 0; x < pixels; ++x) {
    for (int c = 0; c < channels; ++c) to[c] = from[c];
    to += channels;
    from -= channels;
  }
}

// Of lines of `count` bytes in lines of `width`.
LOCKSTEP_CLONES void reverse_bytes(const std::uint8_t* __restrict from, int lines, int count,
                                   int width, std::uint8_t* __restrict to) {
  for (int y = 0; y < lines; ++y) {
    for (int i = 0; i < count; ++i) to[i] = from[count - 1 - i];
    from += width;
    to += width;
  }
}

template <class Value>
void copy_placed(const Value* image, const ImageShape& shape, const ImageChange& change,
                 Value* to) {
  const PixelBox inside = inside_of(change, shape);
  const int pixels = inside.right - inside.left;
  const int channels = shape.channels;
  const int line = shape.width * channels;
  const Value* from =
      image + (inside.top + change.crop_y) * line + std::max(change.crop_x, 0) * channels;
  to += inside.top * line + inside.left * channels;
  const int lines = inside.bottom - inside.top;
  if constexpr (sizeof(Value) == 1) {
    if (change.mirrored != 0 && channels == 1) {
      reverse_bytes(from, lines, pixels, line, to);
      return;
    }
  }
  for (int y = 0; y < lines; ++y, from += line, to += line) {
    if (change.mirrored != 0) {
      copy_reversed(from, pixels, channels, to);
    } else {
      std::copy_n(from, pixels * channels, to);
    }
  }
}

LOCKSTEP_CLONES void tone_values(const ImageChange change, float lowest, float highest,
                                 std::size_t count, float* values) {
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = formula::toned(change, lowest, highest, values[i]);
  }
}

LOCKSTEP_CLONES void mix_values(float part, std::size_t count, const float* __restrict other,
                                float* __restrict values) {
  for (std::size_t i = 0; i < count; ++i) values[i] = formula::mixed(part, values[i], other[i]);
}

}  // namespace

ImageFormer::ImageFormer(FormRule rule)
    : rule_(std::move(rule)),
      outside_(static_cast<std::size_t>(rule_.shape.channels), rule_.range.lowest),
      normalized_outside_(normalized(outside_, rule_.shape, rule_.normalization)),
      normalized_mean_(normalized(rule_.mean, rule_.shape, rule_.normalization)),
      augmenter_(rule_.shape, rule_.range.lowest) {}

void ImageFormer::form(PixelView pixels, const DrawnSample& sample, std::span<float> image) {
  const ImageChange& change = sample.change;
  const bool moves = rule_.augmentation.moves();
  if (moves) {
    augmenter_.apply(pixels, sample.map, change, image);
  } else {
    pixels = place(pixels, change);
  }
  if (rule_.augmentation.tones()) {
    if (!moves) {
      const std::vector<float> ones(outside_.size(), 1);
      const std::vector<float> zeros(outside_.size(), 0);
      normalize(pixels, rule_.shape, {ones, zeros}, image);
      fill_outside(image, change, outside_);
    }
    tone(change, image);
  }
  if (moves || rule_.augmentation.tones()) {
    normalize(image, rule_.shape, rule_.normalization);
  } else {
    normalize(pixels, rule_.shape, rule_.normalization, image);
    fill_outside(image, change, normalized_outside_);
  }
  fill(image, change.erased, normalized_mean_);
}

// Cropped and mirrored, what is outside of the image left open.
PixelView ImageFormer::place(PixelView pixels, const ImageChange& change) {
  if (change.mirrored == 0 && change.crop_x == 0 && change.crop_y == 0) return pixels;
  placed_.resize(pixels.count);
  if (pixels.type == PixelType::kByte) {
    copy_placed(pixels.bytes().data(), rule_.shape, change,
                reinterpret_cast<std::uint8_t*>(placed_.data()));
  } else {
    copy_placed(pixels.floats().data(), rule_.shape, change, placed_.data());
  }
  return {pixels.type, placed_.data(), pixels.count};
}

void ImageFormer::tone(const ImageChange& change, std::span<float> image) const {
  tone_values(change, rule_.range.lowest, rule_.range.highest, image.size(), image.data());
}

void ImageFormer::fill(std::span<float> image, const PixelBox& box,
                       const std::vector<float>& pixel) const {
  const int channels = rule_.shape.channels;
  const int values = (box.right - box.left) * channels;
  for (int y = box.top; y < box.bottom; ++y) {
    float* const to = image.data() + (y * rule_.shape.width + box.left) * channels;
    if (channels == 1) {
      std::fill_n(to, values, pixel[0]);
    } else {
      for (int i = 0; i < values; ++i) to[i] = pixel[static_cast<std::size_t>(i % channels)];
    }
  }
}

void ImageFormer::fill_outside(std::span<float> image, const ImageChange& change,
                               const std::vector<float>& pixel) const {
  if (change.crop_x == 0 && change.crop_y == 0) return;
  const PixelBox inside = inside_of(change, rule_.shape);
  const auto [height, width, channels] = rule_.shape;
  fill(image, {0, 0, width, inside.top}, pixel);
  fill(image, {0, inside.bottom, width, height}, pixel);
  fill(image, {0, inside.top, inside.left, inside.bottom}, pixel);
  fill(image, {inside.right, inside.top, width, inside.bottom}, pixel);
}

void mix_images(const ImageMix& mix, const ImageShape& shape, std::span<const float> other,
                std::span<float> image) {
  if (mix.part != 1) mix_values(mix.part, image.size(), other.data(), image.data());
  for (int y = mix.pasted.top; y < mix.pasted.bottom; ++y) {
    const int first = (y * shape.width + mix.pasted.left) * shape.channels;
    const int values = (mix.pasted.right - mix.pasted.left) * shape.channels;
    std::copy_n(other.data() + first, values, image.data() + first);
  }
}

}  // namespace lockstep
