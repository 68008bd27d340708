// The scale of a chart's axis: values to pixels, and where the ticks are.
#pragma once

#include <vector>

namespace lockstep {

enum class AxisKind { kLinear, kLog };

class Axis {
 public:
  // Covers [least, most], finite and in order, with round ends and ticks: multiples of
  // 1, 2 or 5 times a power of 10. A log axis wants least > 0.
  Axis(AxisKind kind, double least, double most);

  // Where `value` lies: 0 at the lower end, 1 at the upper.
  double place(double value) const;
  double low() const { return low_; }
  double high() const { return high_; }
  const std::vector<double>& ticks() const { return ticks_; }

 private:
  void set_linear_ticks(double least, double most);
  void set_log_ticks(double least, double most);

  AxisKind kind_;
  double low_ = 0;
  double high_ = 1;
  std::vector<double> ticks_;
};

}  // namespace lockstep
