// How long a run still takes, from the wall time of the steps that this process
// has done, evaluations between them included. Local.
#pragma once

#include <cstdint>
#include <optional>

#include "lockstep/train/callback.h"

namespace lockstep {

class TimeLeft {
 public:
  void begin(const RunEvent& event);

  // Takes in a step and returns the seconds left after it, if all epochs are
  // done; none at the first step, whose duration says little of the others'.
  std::optional<double> update(const StepEvent& event);

  std::int64_t steps_total() const { return steps_total_; }

 private:
  std::int64_t steps_total_ = 0;
  std::optional<StepEvent> first_;
};

}  // namespace lockstep
