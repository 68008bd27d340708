#include "lockstep/data/normalization.h"

#include <algorithm>
#include <cmath>

#include "lockstep/core/clones.h"

namespace lockstep {

namespace {

LOCKSTEP_CLONES void scale_bytes(const std::uint8_t* pixels, std::size_t count, float factor,
                                 float offset, float* images) {
  for (std::size_t i = 0; i < count; ++i) {
    images[i] = static_cast<float>(pixels[i]) * factor + offset;
  }
}

LOCKSTEP_CLONES void scale_floats(std::size_t count, float factor, float offset, float* images) {
  for (std::size_t i = 0; i < count; ++i) images[i] = images[i] * factor + offset;
}

struct Moments {
  double mean;
  double deviation;  // of the population
};

// Exact until the last divisions, so equal on every machine.
Moments moments_of(const std::array<std::int64_t, 256>& counts) {
  __int128 rows = 0;
  __int128 sum = 0;
  __int128 squares = 0;
  for (std::size_t value = 0; value < counts.size(); ++value) {
    rows += counts[value];
    sum += static_cast<__int128>(value) * counts[value];
    squares += static_cast<__int128>(value * value) * counts[value];
  }
  if (rows == 0) return {0, 0};
  const auto count = static_cast<double>(rows);
  return {static_cast<double>(sum) / count,
          std::sqrt(static_cast<double>(rows * squares - sum * sum)) / count};
}

}  // namespace

Normalization make_normalization(NormalizationKind kind, int channels,
                                 std::span<const std::array<std::int64_t, 256>> counts) {
  const auto size = static_cast<std::size_t>(channels);
  if (kind == NormalizationKind::kUnit) {
    return {std::vector<float>(size, 1.0F / 255), std::vector<float>(size, 0)};
  }
  Normalization result{std::vector<float>(size, 1), std::vector<float>(size, 0)};
  if (kind == NormalizationKind::kNone) return result;
  for (std::size_t channel = 0; channel < size; ++channel) {
    const auto [mean, deviation] = moments_of(counts[channel]);
    const double factor = deviation > 0 ? 1 / deviation : 1;
    result.factor[channel] = static_cast<float>(factor);
    result.offset[channel] = static_cast<float>(-mean * factor);
  }
  return result;
}

void normalize(std::span<const std::uint8_t> pixels, const ImageShape& shape,
               const Normalization& normalization, std::span<float> images) {
  const auto channels = static_cast<std::size_t>(shape.channels);
  if (channels == 1) {
    scale_bytes(pixels.data(), pixels.size(), normalization.factor[0], normalization.offset[0],
                images.data());
    return;
  }
  for (std::size_t i = 0; i < pixels.size(); i += channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      images[i + c] =
          static_cast<float>(pixels[i + c]) * normalization.factor[c] + normalization.offset[c];
    }
  }
}

void normalize(std::span<float> images, const ImageShape& shape,
               const Normalization& normalization) {
  const auto channels = static_cast<std::size_t>(shape.channels);
  if (channels == 1) {
    scale_floats(images.size(), normalization.factor[0], normalization.offset[0], images.data());
    return;
  }
  for (std::size_t i = 0; i < images.size(); i += channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      images[i + c] = images[i + c] * normalization.factor[c] + normalization.offset[c];
    }
  }
}

void fill_batch(const RowShare& share, Range rows, const Normalization& normalization,
                Batch& batch) {
  const auto pixels = static_cast<std::size_t>(share.shape.pixels());
  const auto count = static_cast<std::size_t>(rows.size());
  const auto first = static_cast<std::size_t>(rows.first);
  batch.size = static_cast<int>(count);
  batch.images.resize(count * pixels);
  normalize(std::span(share.pixels).subspan(first * pixels, count * pixels), share.shape,
            normalization, batch.images);
  batch.rows.assign(share.numbers.begin() + rows.first, share.numbers.begin() + rows.last);
  batch.labels.clear();
  if (share.labelled()) {
    batch.labels.assign(share.labels.begin() + rows.first, share.labels.begin() + rows.last);
  }
}

}  // namespace lockstep
