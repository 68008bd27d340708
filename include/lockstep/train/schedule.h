// Learning-rate schedules: pure functions of the step.
#pragma once

#include <cstdint>

#include "lockstep/train/options.h"

namespace lockstep {

struct ScheduleSpan {
  std::int64_t total_steps = 1;
  std::int64_t steps_per_epoch = 1;
};

// The factor of the base learning rate for step `step`, from 0; formulas stand
// with the options.
double schedule_factor(const ScheduleOptions& schedule, const ScheduleSpan& span,
                       std::int64_t step);

}  // namespace lockstep
