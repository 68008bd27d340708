#include "pictures/resample.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <vector>

#include "lockstep/core/clones.h"

namespace lockstep {

namespace {

// The weights of a pixel are whole numbers with a sum of at most this: then a sum of 255
// times as much is exact in a float, and a product of two such sums in a double. Exact sums
// have the same bits in any order, on any processor.
constexpr std::int64_t kMostTotal = 65793;
constexpr std::int64_t kRoundedTotal = 65536;
static_assert(kMostTotal * 255 < 1 << 24 && kRoundedTotal <= kMostTotal);

// What a pixel of the result is made from, along one axis.
struct Mix {
  std::size_t first = 0;    // pixel of the source
  std::size_t count = 0;    // of pixels from there
  std::size_t weights = 0;  // where theirs begin
  double total = 0;
};

struct Mixes {
  std::vector<Mix> mixes;
  std::vector<float> weights;

  std::size_t begin() const { return mixes.front().first; }
  std::size_t end() const { return mixes.back().first + mixes.back().count; }
};

// How much of pixel k of the source lies under pixel i of the result.
std::int64_t overlap(const Axis& axis, std::int64_t i, std::int64_t k) {
  const std::int64_t begin = axis.begin + i * axis.pixel;
  return std::min(begin + axis.pixel, (k + 1) * axis.source_pixel) -
         std::max(begin, k * axis.source_pixel);
}

// Twice the reach of the triangle, which is the larger pixel, less twice the distance of the
// centres.
std::int64_t triangle(const Axis& axis, std::int64_t i, std::int64_t k) {
  const std::int64_t centre = 2 * axis.begin + (2 * i + 1) * axis.pixel;
  return 2 * std::max(axis.pixel, axis.source_pixel) -
         std::abs((2 * k + 1) * axis.source_pixel - centre);
}

// The weights brought to a sum of kRoundedTotal.
void round_weights(std::vector<std::int64_t>& weights, std::int64_t total) {
  std::int64_t sum = 0;
  std::int64_t given = 0;
  for (std::int64_t& weight : weights) {
    sum += weight;
    const std::int64_t upto = (2 * sum * kRoundedTotal + total) / (2 * total);
    weight = upto - given;
    given = upto;
  }
}

Axis in_largest_unit(Axis axis) {
  const std::int64_t unit = std::gcd(std::gcd(axis.source_pixel, axis.pixel), axis.begin);
  axis.source_pixel /= unit;
  axis.pixel /= unit;
  axis.begin /= unit;
  return axis;
}

Mixes mixes_of(const Axis& given, Resampling resampling) {
  const Axis axis = in_largest_unit(given);
  const bool by_area = resampling == Resampling::kArea && axis.pixel >= axis.source_pixel;
  const auto weigh = by_area ? overlap : triangle;
  const std::int64_t reach = by_area ? 0 : std::max(axis.pixel, axis.source_pixel);
  Mixes result;
  std::vector<std::int64_t> weights;
  for (std::int64_t i = 0; i < axis.size; ++i) {
    const std::int64_t begin = axis.begin + i * axis.pixel;
    const std::int64_t last = (begin + axis.pixel + reach) / axis.source_pixel;
    std::int64_t k = std::max<std::int64_t>((begin - reach) / axis.source_pixel, 0);
    while (weigh(axis, i, k) <= 0) ++k;
    Mix mix{.first = static_cast<std::size_t>(k), .weights = result.weights.size()};
    weights.clear();
    for (; k <= last && k < axis.source_size && weigh(axis, i, k) > 0; ++k) {
      weights.push_back(weigh(axis, i, k));
    }
    std::int64_t total = std::accumulate(weights.begin(), weights.end(), std::int64_t{0});
    if (total > kMostTotal) {
      round_weights(weights, total);
      total = kRoundedTotal;
    }
    mix.count = weights.size();
    mix.total = static_cast<double>(total);
    result.weights.insert(result.weights.end(), weights.begin(), weights.end());
    result.mixes.push_back(mix);
  }
  return result;
}

LOCKSTEP_CLONES void add_row(const std::uint8_t* row, std::size_t count, float weight,
                             float* sums) {
  for (std::size_t i = 0; i < count; ++i) sums[i] += weight * static_cast<float>(row[i]);
}

// `sums` [source's columns from columns.begin(), kChannels] of one row of the result.
template <int kChannels>
void mix_columns(const float* sums, const Mixes& columns, double row_total, std::uint8_t* to) {
  for (const Mix& mix : columns.mixes) {
    const float* sum = sums + (mix.first - columns.begin()) * kChannels;
    const float* weight = columns.weights.data() + mix.weights;
    double mixed[kChannels] = {};
    for (std::size_t k = 0; k < mix.count; ++k) {
      for (int c = 0; c < kChannels; ++c) {
        mixed[c] += static_cast<double>(weight[k]) * static_cast<double>(*sum++);
      }
    }
    const double total = mix.total * row_total;
    for (int c = 0; c < kChannels; ++c) {
      *to++ = static_cast<std::uint8_t>((2 * mixed[c] + total) / (2 * total));
    }
  }
}

}  // namespace

void resample(const Picture& source, const Axis& columns, const Axis& rows, Resampling resampling,
              std::uint8_t* to, std::size_t row_bytes) {
  const Mixes across = mixes_of(columns, resampling);
  const Mixes down = mixes_of(rows, resampling);
  const auto channels = static_cast<std::size_t>(source.channels);
  const std::size_t source_row_bytes = static_cast<std::size_t>(source.width) * channels;
  const std::uint8_t* pixels = source.pixels.data() + across.begin() * channels;
  std::vector<float> sums((across.end() - across.begin()) * channels);
  for (const Mix& mix : down.mixes) {
    std::fill(sums.begin(), sums.end(), 0.0F);
    for (std::size_t k = 0; k < mix.count; ++k) {
      add_row(pixels + (mix.first + k) * source_row_bytes, sums.size(),
              down.weights[mix.weights + k], sums.data());
    }
    if (channels == 1) {
      mix_columns<1>(sums.data(), across, mix.total, to);
    } else {
      mix_columns<3>(sums.data(), across, mix.total, to);
    }
    to += row_bytes;
  }
}

}  // namespace lockstep
