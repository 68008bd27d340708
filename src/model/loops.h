// Loops over samples, rows and columns, in the order in which kernels go through them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace lockstep {

// One of three, which steps through two arrays.
struct Loop {
  std::int64_t count;
  std::int64_t step;
  std::int64_t other_step;

  bool goes_on_in(const Loop& outer) const {
    return outer.step == count * step && outer.other_step == count * other_step;
  }
};

inline constexpr Loop kOnce{1, 0, 0};

using Loops = std::array<Loop, 3>;  // the inmost last

// As the first array lies in memory; where one loop goes on in the next, both are one.
inline void join(Loops& loops) {
  std::stable_sort(loops.begin(), loops.end(),
                   [](const Loop& a, const Loop& b) { return a.step > b.step; });
  for (int joined = 0; joined < 2 && loops[2].goes_on_in(loops[1]); ++joined) {
    loops[2].count *= loops[1].count;
    loops[1] = std::exchange(loops[0], kOnce);
  }
}

// The longest loop becomes the inmost where that one is short.
inline void lengthen(Loops& loops, std::int64_t enough) {
  if (loops[2].count >= enough) return;
  const auto longest = std::max_element(loops.rbegin(), loops.rend(),
                                        [](auto& a, auto& b) { return a.count < b.count; });
  std::swap(*longest, loops[2]);
}

}  // namespace lockstep
