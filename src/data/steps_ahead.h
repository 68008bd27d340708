// Which steps of a lane are to be expected, as its steps are taken one after the other, from
// anywhere. Safe from any thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <vector>

#include "lockstep/core/share.h"

namespace lockstep {

class StepsAhead {
 public:
  explicit StepsAhead(std::size_t lanes) : expected_(lanes, 0) {}

  // Those that follow `step`, `ahead` of them, without what was given before.
  Range next(std::size_t lane, std::int64_t step, std::int64_t ahead) {
    const std::lock_guard lock(mutex_);
    std::int64_t& expected = expected_[lane];
    const std::int64_t last = step + 1 + ahead;
    const bool goes_on = step < expected && expected <= last;
    const Range steps{goes_on ? expected : step + 1, last};
    expected = last;
    return steps;
  }

 private:
  std::mutex mutex_;
  std::vector<std::int64_t> expected_;  // by lane: the first step that was not yet given
};

}  // namespace lockstep
