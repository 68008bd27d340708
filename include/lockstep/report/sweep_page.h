// A sweep on one HTML page and as a text table. The runs of the sweep are ranked.
// Local, any thread: equal bytes for equal sweeps. Text is treated as in
// report_files.h.
#pragma once

#include <string>

#include "lockstep/report/sweep.h"

namespace lockstep {

// Ranked table, parallel coordinates, curves of the best runs, failures, and the best
// run's experiment.
std::string sweep_page(const Sweep& sweep);

// The ranked table, and a line for each run that failed; lines end in "\n".
std::string sweep_table(const Sweep& sweep);

}  // namespace lockstep
