// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw,
// "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011), section 3.3.
//
// Every random number of Lockstep is a pure function of (seed, purpose, what it
// is for), so it does not matter which rank or thread asks, or in what order.
// Pure functions; any thread.
#pragma once

#include <array>
#include <cstdint>

#include "lockstep/core/formulas.h"

namespace lockstep {

// What a draw is for. Part of the key, so that two uses never share numbers.
enum class Purpose : std::uint32_t {
  kDeal = 1,        // rows of a class to validation and lanes
  kLaneOrder = 2,   // a lane's order in an epoch
  kAugment = 3,     // rotation, translation, scale of a row in an epoch
  kDropout = 4,     // the mask of a layer for a row in a step
  kInitialize = 5,  // initial weights
  kShowcase = 6,    // which rows a report shows
};

using PhiloxKey = std::array<std::uint32_t, 2>;
using PhiloxBlock = std::array<std::uint32_t, 4>;

// The key of a stream: the seed's 64 bits with the purpose mixed into the upper
// word (a golden-ratio multiple, so that near seeds and purposes do not meet).
constexpr PhiloxKey philox_key(std::uint64_t seed, Purpose purpose) {
  const auto mixed = seed ^ (static_cast<std::uint64_t>(purpose) * 0x9E3779B97F4A7C15ULL);
  return {static_cast<std::uint32_t>(mixed), static_cast<std::uint32_t>(mixed >> 32)};
}

// 128 random bits: the block at `counter` of the stream `key`.
constexpr PhiloxBlock philox(PhiloxKey key, PhiloxBlock counter) {
  formula::philox(key[0], key[1], counter[0], counter[1], counter[2], counter[3]);
  return counter;
}

// A word as a real in [0, 1), exact in float: its upper 24 bits times 2^-24.
constexpr float unit_interval(std::uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1.0p-24F;
}

}  // namespace lockstep
