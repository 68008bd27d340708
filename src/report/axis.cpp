#include "report/axis.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace lockstep {

namespace {

constexpr double kMostSteps = 6;
constexpr std::size_t kMostLogTicks = 7;
constexpr std::array<double, 3> kRound = {1, 2, 5};

}  // namespace

Axis::Axis(AxisKind kind, double least, double most) : kind_(kind) {
  if (kind == AxisKind::kLog) {
    set_log_ticks(least, most);
  } else {
    set_linear_ticks(least, most);
  }
}

void Axis::set_linear_ticks(double least, double most) {
  if (most <= least) {
    const double around = least == 0 ? 1 : std::abs(least) / 2;
    least -= around;
    most += around;
  }
  const double rough = (most - least) / kMostSteps;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double round : kRound) {
    if (round * power >= rough * (1 - 1e-9)) {
      step = round * power;
      break;
    }
  }
  low_ = std::floor(least / step + 1e-9) * step;
  high_ = std::ceil(most / step - 1e-9) * step;
  const auto count = std::lround((high_ - low_) / step);
  for (long i = 0; i <= count; ++i) {
    ticks_.push_back(std::round(low_ / step + static_cast<double>(i)) * step);
  }
}

// Each of 1, 2, 5 in a power of 10 where they are few, else powers alone.
void Axis::set_log_ticks(double least, double most) {
  const double first = std::floor(std::log10(least));
  const double last = std::ceil(std::log10(most));
  for (double power = first; power <= last; ++power) {
    for (const double round : kRound) ticks_.push_back(round * std::pow(10, power));
  }
  while (ticks_.size() > 2 && ticks_[1] <= least) ticks_.erase(ticks_.begin());
  while (ticks_.size() > 2 && ticks_[ticks_.size() - 2] >= most) ticks_.pop_back();
  low_ = ticks_.front();
  high_ = ticks_.back();
  if (ticks_.size() <= kMostLogTicks) return;
  ticks_.clear();
  const double stride = std::ceil((last - first) / kMostSteps);
  for (double power = first; power <= last; power += stride) {
    const double tick = std::pow(10, power);
    if (tick >= low_ && tick <= high_) ticks_.push_back(tick);
  }
}

double Axis::place(double value) const {
  if (kind_ == AxisKind::kLog) return std::log(value / low_) / std::log(high_ / low_);
  return (value - low_) / (high_ - low_);
}

}  // namespace lockstep
