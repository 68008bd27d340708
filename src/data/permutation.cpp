#include "data/permutation.h"

#include <utility>

namespace lockstep {

Permutation::Permutation(std::uint64_t size, PhiloxKey key, std::array<std::uint32_t, 3> stream)
    : size_(size) {
  while ((std::uint64_t{1} << (2 * half_bits_)) < size) ++half_bits_;
  for (std::uint32_t block = 0; block < kRounds / 4; ++block) {
    const PhiloxBlock words = philox(key, {stream[0], stream[1], stream[2], block});
    for (std::size_t i = 0; i < 4; ++i) round_keys_[4 * block + i] = words[i];
  }
}

std::uint64_t Permutation::operator()(std::uint64_t index) const {
  const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
  do {
    std::uint64_t left = index >> half_bits_;
    std::uint64_t right = index & mask;
    for (const std::uint32_t key : round_keys_) {
      // The product's middle bits depend on every bit of the word and of the key.
      const std::uint64_t product = (right ^ key) * std::uint64_t{0xD2511F53};
      left ^= (product >> 32 ^ product >> 15) & mask;
      std::swap(left, right);
    }
    index = left << half_bits_ | right;
  } while (index >= size_);
  return index;
}

}  // namespace lockstep
