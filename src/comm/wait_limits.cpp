#include "comm/wait_limits.h"

#include "lockstep/core/environment.h"

namespace lockstep {

WaitLimits wait_limits() {
  const double soft = seconds_from_environment("LOCKSTEP_SOFT_LIMIT_SECONDS", 20);
  const double hard = seconds_from_environment("LOCKSTEP_HARD_LIMIT_SECONDS", 60);
  return {soft, hard, seconds_from_environment("LOCKSTEP_LONG_WORK_LIMIT_SECONDS", 10 * hard)};
}

}  // namespace lockstep
