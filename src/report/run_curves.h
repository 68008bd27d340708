// Curves of several runs over each other.
#pragma once

#include <string>
#include <vector>

#include "lockstep/report/report_data.h"
#include "report/drawing.h"
#include "report/markup.h"

namespace lockstep {

// A run by the name that it has on the page; its colour is that of its place.
struct NamedRun {
  std::string name;
  const RunRecord* record;
};

// Validation and training accuracy and loss, learning rate and speed by epoch, each with
// a curve a run.
std::vector<Drawing> curves_over_each_other(const std::vector<NamedRun>& runs);

// The colour of the run at a place; then its name.
void write_swatch(Markup& to, std::size_t place);

// A line with the colour and the name of each run.
void write_legend(Markup& to, const std::vector<NamedRun>& runs);

}  // namespace lockstep
