// The values of two samples side by side, in bf16 the units of sums over samples (conv_kernels.h).
#pragma once

#include <cstdint>
#include <type_traits>

#include "model/conv_kernels.h"
#include "model/resized.h"

namespace lockstep {

// Those of bf16 come in pairs, an odd number of them completed by one of zeros.
template <typename Out>
std::int64_t whole_samples(std::int64_t samples) {
  return std::is_same_v<Out, float> ? samples : (samples + 1) / 2 * 2;
}

// [samples, pixels, channels] to [pixels, samples in units, channels] units.
template <typename In>
const In* pair_samples(std::int64_t samples, const Bf16Bits* from, std::int64_t pixels,
                       std::int64_t channels, Buffer<In>& to) {
  In* pairs = resized(to, pixels * whole_samples<Bf16Bits>(samples) * channels);
  if constexpr (std::is_same_v<In, Bf16Bits>) {
    arrange_kernels().pair_samples(from, samples, pixels, channels, pairs);
  } else {
    arrange_kernels().widen_samples(from, samples, pixels, channels, pairs);
  }
  return pairs;
}

// [units, channels] units to [channels, units], whose rows lie odd_lines() of values apart.
template <typename In>
const In* turn_units(const In* units_of_rows, std::int64_t units, std::int64_t channels,
                     Buffer<In>& to) {
  constexpr std::int64_t kUnit = sizeof(float) / sizeof(In);
  const std::int64_t row = odd_lines<In>(kUnit * units);
  In* turned = resized(to, channels * row);
  arrange_kernels().transpose(units_of_rows, units, channels, channels, turned, row / kUnit);
  return turned;
}

}  // namespace lockstep
