#include "lockstep/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lockstep {

namespace {

// Half a cosine from `begin` (at 0) to `end` (at 1).
double half_cosine(double begin, double end, double progress) {
  return end + (begin - end) * (1 + std::cos(std::numbers::pi * progress)) / 2;
}

double factor(const ConstantSchedule& /*schedule*/, const ScheduleSpan& /*span*/, double /*step*/) {
  return 1;
}

double steps_of(double epochs, const ScheduleSpan& span) {
  return epochs * static_cast<double>(span.steps_per_epoch);
}

// The part of the way from the end of the warm-up to the last step.
double progress(double warmup, const ScheduleSpan& span, double step) {
  const double rest = std::max(static_cast<double>(span.total_steps) - 1 - warmup, 1.0);
  return std::min((step - warmup) / rest, 1.0);
}

double factor(const WarmupCosineSchedule& schedule, const ScheduleSpan& span, double step) {
  const double warmup = steps_of(schedule.warmup_epochs, span);
  if (step < warmup) return (step + 1) / (warmup + 1);
  return half_cosine(1, schedule.final_factor, progress(warmup, span, step));
}

double factor(const LinearSchedule& schedule, const ScheduleSpan& span, double step) {
  const double warmup = steps_of(schedule.warmup_epochs, span);
  if (step < warmup) return (step + 1) / (warmup + 1);
  return 1 - (1 - schedule.final_factor) * progress(warmup, span, step);
}

double factor(const StepSchedule& schedule, const ScheduleSpan& span, double step) {
  const double warmup = steps_of(schedule.warmup_epochs, span);
  const double rise = step < warmup ? (step + 1) / (warmup + 1) : 1;
  double reached = 0;
  if (schedule.every_epochs > 0) reached = std::floor(step / steps_of(schedule.every_epochs, span));
  for (const double milestone : schedule.milestones) {
    if (step >= steps_of(milestone, span)) ++reached;
  }
  return rise * std::pow(schedule.factor, reached);
}

double factor(const OneCycleSchedule& schedule, const ScheduleSpan& span, double step) {
  const double last = std::max(static_cast<double>(span.total_steps) - 1, 1.0);
  const double peak =
      std::max(schedule.warmup_fraction * static_cast<double>(span.total_steps) - 1, 0.0);
  const double initial = 1 / schedule.initial_divisor;
  if (step < peak) return half_cosine(initial, 1, step / peak);
  const double rest = std::max(last - peak, 1e-9);
  return half_cosine(1, initial / schedule.final_divisor, std::min((step - peak) / rest, 1.0));
}

}  // namespace

double schedule_factor(const ScheduleOptions& schedule, const ScheduleSpan& span,
                       std::int64_t step) {
  return std::visit([&](const auto& each) { return factor(each, span, static_cast<double>(step)); },
                    schedule);
}

}  // namespace lockstep
