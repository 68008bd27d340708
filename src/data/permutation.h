// A keyed permutation of [0, n): no table, any element on its own.
//
// A balanced Feistel network (Luby and Rackoff, 1988) over the next even number
// of bits, with cycle walking (Black and Rogaway, "Ciphers with Arbitrary Finite
// Domains", 2002): a result outside [0, n) is put through the network again. The
// round keys are Philox words, and a round mixes by Philox's multiplication.
// Plain value; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "lockstep/core/philox.h"

namespace lockstep {

class Permutation {
 public:
  // `size` in [1, 2^62]; the permutation is a function of size, key and stream.
  Permutation(std::uint64_t size, PhiloxKey key, std::array<std::uint32_t, 3> stream);

  // The image of `index`, which must be below size.
  std::uint64_t operator()(std::uint64_t index) const;

  // The images of first, first + 1, ...: many at once, in less time than one by one.
  void images(std::uint64_t first, std::span<std::uint64_t> out) const;

 private:
  static constexpr int kRounds = 8;

  using RoundKeys = std::array<std::uint32_t, kRounds>;

  // Puts each of `values` through the network once.
  static void walk(const RoundKeys& keys, int half_bits, std::span<std::uint64_t> values);

  std::uint64_t size_;
  int half_bits_ = 1;
  RoundKeys round_keys_;
};

}  // namespace lockstep
