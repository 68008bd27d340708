// How a count of things is shared among parts: contiguous, sizes differ by at
// most one. Used for lanes to ranks, chunks to ranks, elements to workers.
#pragma once

#include <cstdint>

namespace lockstep {

struct Range {
  std::int64_t first = 0;
  std::int64_t last = 0;  // one past the end

  std::int64_t size() const { return last - first; }
  bool contains(std::int64_t index) const { return first <= index && index < last; }
  bool operator==(const Range&) const = default;
};

// Part `index` of `parts` of [0, total): [total index / parts, total (index + 1) / parts).
constexpr Range share_of(std::int64_t total, std::int64_t parts, std::int64_t index) {
  return {total * index / parts, total * (index + 1) / parts};
}

// The part that holds `item` in that sharing.
constexpr std::int64_t part_of(std::int64_t total, std::int64_t parts, std::int64_t item) {
  return ((item + 1) * parts - 1) / total;
}

}  // namespace lockstep
