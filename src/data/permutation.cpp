#include "data/permutation.h"

#include <numeric>
#include <utility>
#include <vector>

#include "lockstep/core/clones.h"

namespace lockstep {

Permutation::Permutation(std::uint64_t size, PhiloxKey key, std::array<std::uint32_t, 3> stream)
    : size_(size) {
  while ((std::uint64_t{1} << (2 * half_bits_)) < size) ++half_bits_;
  for (std::uint32_t block = 0; block < kRounds / 4; ++block) {
    const PhiloxBlock words = philox(key, {stream[0], stream[1], stream[2], block});
    for (std::size_t i = 0; i < 4; ++i) round_keys_[4 * block + i] = words[i];
  }
}

LOCKSTEP_CLONES void Permutation::walk(const RoundKeys& keys, int half_bits,
                                       std::span<std::uint64_t> values) {
  const std::uint64_t mask = (std::uint64_t{1} << half_bits) - 1;
  for (std::uint64_t& value : values) {
    std::uint64_t left = value >> half_bits;
    std::uint64_t right = value & mask;
    for (const std::uint32_t key : keys) {
      // The product's middle bits depend on every bit of the word and of the key.
      const std::uint64_t product = (right ^ key) * formula::kPhiloxMultiplier;
      left ^= (product >> 32 ^ product >> 15) & mask;
      std::swap(left, right);
    }
    value = left << half_bits | right;
  }
}

std::uint64_t Permutation::operator()(std::uint64_t index) const {
  do {
    walk(round_keys_, half_bits_, {&index, 1});
  } while (index >= size_);
  return index;
}

void Permutation::images(std::uint64_t first, std::span<std::uint64_t> out) const {
  std::vector<std::uint64_t> values(out.size());  // those still to be walked on with
  std::vector<std::size_t> places(out.size());    // and where in `out` they belong
  std::iota(values.begin(), values.end(), first);
  std::iota(places.begin(), places.end(), std::size_t{0});
  while (!values.empty()) {
    walk(round_keys_, half_bits_, values);
    std::size_t left = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      // Without a branch: which values stay is as good as random.
      out[places[i]] = values[i];
      values[left] = values[i];
      places[left] = places[i];
      left += values[left] >= size_ ? 1 : 0;
    }
    values.resize(left);
  }
}

}  // namespace lockstep
