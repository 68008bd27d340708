#include "lockstep/callbacks/time_left.h"

namespace lockstep {

void TimeLeft::begin(const RunEvent& event) {
  steps_total_ = event.epochs * event.steps_per_epoch;
  first_.reset();
}

std::optional<double> TimeLeft::update(const StepEvent& event) {
  if (!first_) first_ = event;
  const std::int64_t done = event.step - first_->step;
  if (done == 0) return std::nullopt;
  const double seconds_per_step = (event.seconds - first_->seconds) / static_cast<double>(done);
  return seconds_per_step * static_cast<double>(steps_total_ - event.step);
}

}  // namespace lockstep
