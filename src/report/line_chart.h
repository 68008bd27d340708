// A chart of lines over a common axis.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "report/drawing.h"

namespace lockstep {

struct Series {
  std::string name;
  int colour = 0;
  std::vector<Point> points;  // x ascends; where y is not finite the line is broken
};

enum class Unit { kNumber, kShare, kRate };  // kRate: a learning rate
enum class Legend { kShown, kElsewhere };

struct ChartOptions {
  std::string title;
  std::string x_name;  // of the axis, and in tips: "epoch"
  Unit unit = Unit::kNumber;
  Legend legend = Legend::kShown;
  std::optional<double> marked_x;  // a vertical line there
};

// The y axis is logarithmic where positive values span a factor of over 30, but for
// learning rates, whose schedules are known by their linear shape. Long series are thinned
// to some hundred points.
Drawing line_chart(const ChartOptions& options, const std::vector<Series>& series);

}  // namespace lockstep
