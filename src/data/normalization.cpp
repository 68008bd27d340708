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
Moments moments_of(const ValueCounts& values) {
  __int128 rows = 0;
  __int128 sum = 0;
  __int128 squares = 0;
  for (std::size_t i = 0; i < values.counts.size(); ++i) {
    rows += values.counts[i];
    sum += static_cast<__int128>(i) * values.counts[i];
    squares += static_cast<__int128>(i * i) * values.counts[i];
  }
  if (rows == 0) return {0, 0};
  const auto count = static_cast<double>(rows);
  const double step = values.step;
  return {values.first + step * static_cast<double>(sum) / count,
          step * std::sqrt(static_cast<double>(rows * squares - sum * sum)) / count};
}

template <class Value>
void scale_channels(std::span<const Value> pixels, const Normalization& normalization,
                    std::span<float> images) {
  const std::size_t channels = normalization.factor.size();
  for (std::size_t i = 0; i < pixels.size(); i += channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      images[i + c] =
          static_cast<float>(pixels[i + c]) * normalization.factor[c] + normalization.offset[c];
    }
  }
}

}  // namespace

Normalization make_normalization(NormalizationKind kind, int channels, const ValueRange& range,
                                 std::span<const ValueCounts> counts) {
  const auto size = static_cast<std::size_t>(channels);
  Normalization result{std::vector<float>(size, 1), std::vector<float>(size, 0)};
  if (kind == NormalizationKind::kUnit) {
    const float factor = 1.0F / (range.highest - range.lowest);
    const float offset = range.lowest == 0 ? 0 : -range.lowest * factor;
    return {std::vector<float>(size, factor), std::vector<float>(size, offset)};
  }
  if (kind == NormalizationKind::kNone) return result;
  for (std::size_t channel = 0; channel < size; ++channel) {
    const auto [mean, deviation] = moments_of(counts[channel]);
    const double factor = deviation > 0 ? 1 / deviation : 1;
    result.factor[channel] = static_cast<float>(factor);
    result.offset[channel] = static_cast<float>(-mean * factor);
  }
  return result;
}

std::vector<float> mean_values(std::span<const ValueCounts> counts) {
  std::vector<float> means;
  for (const ValueCounts& channel : counts) {
    means.push_back(static_cast<float>(moments_of(channel).mean));
  }
  return means;
}

Normalization for_levels(const Normalization& normalization, const ValueRange& range) {
  if (!range.given() || range == kByteRange) return normalization;
  Normalization result = normalization;
  for (std::size_t c = 0; c < result.factor.size(); ++c) {
    result.offset[c] += result.factor[c] * range.lowest;
    result.factor[c] *= (range.highest - range.lowest) / kByteRange.highest;
  }
  return result;
}

void normalize(PixelView pixels, const ImageShape& shape, const Normalization& normalization,
               std::span<float> images) {
  if (pixels.type == PixelType::kFloat) {
    scale_channels(pixels.floats(), normalization, images);
  } else if (shape.channels == 1) {
    scale_bytes(pixels.bytes().data(), pixels.count, normalization.factor[0],
                normalization.offset[0], images.data());
  } else {
    scale_channels(pixels.bytes(), normalization, images);
  }
}

void normalize(std::span<float> images, const ImageShape& shape,
               const Normalization& normalization) {
  if (shape.channels == 1) {
    scale_floats(images.size(), normalization.factor[0], normalization.offset[0], images.data());
    return;
  }
  scale_channels(std::span<const float>(images), normalization, images);
}

void fill_batch(const RowShare& share, Range rows, const Normalization& normalization,
                Batch& batch) {
  const auto pixels = static_cast<std::size_t>(share.shape.pixels());
  const auto count = static_cast<std::size_t>(rows.size());
  batch.size = static_cast<int>(count);
  batch.images.resize(count * pixels);
  normalize(share.pixels(rows), share.shape, normalization, batch.images);
  batch.rows.assign(share.numbers.begin() + rows.first, share.numbers.begin() + rows.last);
  batch.labels.clear();
  if (share.labelled()) {
    batch.labels.assign(share.labels.begin() + rows.first, share.labels.begin() + rows.last);
  }
}

}  // namespace lockstep
