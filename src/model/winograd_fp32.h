// What winograd_kernels.inc wants of an Isa in fp32. In an unnamed namespace: code for one
// instruction set must not be linked into another's place.
#pragma once

#include <cstdint>

namespace lockstep {

namespace {

template <typename Sums>
struct Fp32Tiles {
  using Value = float;
  using Sum = typename Sums::Sum;
  using Some = Sum;
  static constexpr int kSomeLanes = Sums::kLanes;

  static Sum load_values(const float* from) { return Sums::load_sums(from); }
  static Sum load_some(const float* from, Sum) { return load_values(from); }
  static Sum load_in_order(const float* from, Sum) { return load_values(from); }
  static Sum load_some_sums(const float* from, Sum) { return load_values(from); }
  static void store_values(float* to, Sum sum) { Sums::store_sums(to, sum); }
  static void store_factors(float* to, Sum sum) { Sums::store_sums(to, sum); }
  static void store_two(float* to, std::int64_t channel, std::int64_t channels, Sum first,
                        Sum second) {
    Sums::store_sums(to + channel, first);
    Sums::store_sums(to + channels + channel, second);
  }
};

}  // namespace

}  // namespace lockstep
