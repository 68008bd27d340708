// How long ranks wait for each other, in seconds.
#pragma once

namespace lockstep {

struct WaitLimits {
  double soft;       // then a line goes to the log
  double hard;       // then the job ends
  double long_work;  // the hard one where long work was announced
};

// Local: LOCKSTEP_SOFT_LIMIT_SECONDS (20), LOCKSTEP_HARD_LIMIT_SECONDS (60) and
// LOCKSTEP_LONG_WORK_LIMIT_SECONDS (10 times the hard one). Error (2): no positive numbers.
WaitLimits wait_limits();

}  // namespace lockstep
