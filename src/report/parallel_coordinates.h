// A chart with an axis for each field and one for the result; each run is a line across
// them.
#pragma once

#include <string>
#include <vector>

#include "report/drawing.h"
#include "report/line_chart.h"

namespace lockstep {

struct ParallelLine {
  std::string name;                 // in the tip
  std::vector<std::string> values;  // by field
  double result = 0;                // NaN: the line ends before the result
};

struct ParallelOptions {
  std::string title;  // for readers who do not see it
  std::vector<std::string> fields;
  std::string result;  // name of the last axis
  Unit unit = Unit::kNumber;
};

// The best line comes first in `lines`, and the others in the order of their results:
// the better, the stronger is the colour.
Drawing parallel_coordinates(const ParallelOptions& options,
                             const std::vector<ParallelLine>& lines);

}  // namespace lockstep
