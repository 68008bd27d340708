#include "model/turned_dense.h"

#include <algorithm>
#include <type_traits>

namespace lockstep {

namespace {

template <typename In>
constexpr std::int64_t kUnit = sizeof(float) / sizeof(In);

// [rows, size] to [columns, rows].
void turn(const float* from, std::int64_t rows, std::int64_t size, std::int64_t columns,
          float* to) {
  arrange_kernels().transpose(from, rows, columns, size, to, rows);
}

void turn(const Bf16Bits* from, std::int64_t rows, std::int64_t size, std::int64_t columns,
          Bf16Bits* to) {
  constexpr std::int64_t kBlock = 32;  // rows that share a line of `to`
  for (std::int64_t first = 0; first < rows; first += kBlock) {
    for (std::int64_t c = 0; c < columns; ++c) {
      for (std::int64_t r = first; r < std::min(first + kBlock, rows); ++r) {
        to[c * rows + r] = from[r * size + c];
      }
    }
  }
}

}  // namespace

template <typename In, typename Out>
void TurnedDense<In, Out>::forward(std::int64_t samples, const Out* x, const Out* weight,
                                   const Out* bias, Out* y) {
  const int vectors = std::min(2, kernels_.most_vectors);
  const std::int64_t group = vectors * kFiltersOfVector;
  const In* wide_x = widened(x, samples * inputs_, wide_x_);
  const In* wide_weight = widened(weight, units_ * inputs_, wide_weight_);
  const TapStretch all{.x = 0, .weights = 0, .units = inputs_ / kUnit<In>};
  turned_.resize(static_cast<std::size_t>(units_ * group));
  for (std::int64_t n = 0; n < samples; n += group) {
    const std::int64_t some = std::min(group, samples - n);
    arrange_samples(some, wide_x + n * inputs_, group);
    kernels_.correlate({.stretches = &all,
                        .stretch_count = 1,
                        .count = units_,
                        .x = wide_weight,
                        .x_step = inputs_,
                        .weights = samples_.data(),
                        .weights_step = group * kUnit<In>,
                        .bias = nullptr,
                        .output_bias = bias,
                        .y = turned_.data(),
                        .y_step = group,
                        .vectors = vectors,
                        .filters = static_cast<int>(group)});
    turn(turned_.data(), units_, group, some, y + n * units_);
  }
}

// The second value of each pair first, as the kernels add them.
template <typename In, typename Out>
const In* TurnedDense<In, Out>::widened(const Out* from, std::int64_t count,
                                        std::vector<In>& to) const {
  if constexpr (std::is_same_v<In, Out>) {
    return from;
  } else {
    to.resize(static_cast<std::size_t>(count));
    arrange_kernels().widen_turned(from, count, to.data());
    return to.data();
  }
}

// [samples, inputs] to [inputs in units, group]; zeros for samples that there are not.
template <typename In, typename Out>
void TurnedDense<In, Out>::arrange_samples(std::int64_t samples, const In* x, std::int64_t group) {
  samples_.resize(static_cast<std::size_t>(inputs_ * group));
  if (samples < group) std::fill(samples_.begin(), samples_.end(), In{});
  const std::int64_t units = inputs_ / kUnit<In>;
  arrange_kernels().transpose(x, samples, units, units, samples_.data(), group);
}

template class TurnedDense<float, float>;
template class TurnedDense<Bf16Bits, Bf16Bits>;
template class TurnedDense<float, Bf16Bits>;

}  // namespace lockstep
