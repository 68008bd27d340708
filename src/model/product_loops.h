// The order in which a ProductSum of a convolution goes through samples, rows and columns.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace lockstep {

// One of the three loops over k of a ProductSum.
struct Loop {
  std::int64_t count;
  std::int64_t x_step;
  std::int64_t dy_step;

  bool goes_on_in(const Loop& outer) const {
    return outer.x_step == count * x_step && outer.dy_step == count * dy_step;
  }
};

using Loops = std::array<Loop, 3>;

// As x lies in memory, the inmost last.
inline void join(Loops& loops) {
  constexpr Loop kOnce{1, 0, 0};
  std::stable_sort(loops.begin(), loops.end(),
                   [](const Loop& a, const Loop& b) { return a.x_step > b.x_step; });
  for (int joined = 0; joined < 2 && loops[2].goes_on_in(loops[1]); ++joined) {
    loops[2].count *= loops[1].count;
    loops[1] = std::exchange(loops[0], kOnce);
  }
}

// The longest loop becomes the inmost where that one is short.
inline void lengthen(Loops& loops) {
  constexpr std::int64_t kEnough = 8;
  if (loops[2].count >= kEnough) return;
  const auto longest = std::max_element(loops.rbegin(), loops.rend(),
                                        [](auto& a, auto& b) { return a.count < b.count; });
  std::swap(*longest, loops[2]);
}

}  // namespace lockstep
