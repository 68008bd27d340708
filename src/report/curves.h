// The curves of a training.
#pragma once

#include <vector>

#include "lockstep/report/report_data.h"
#include "report/drawing.h"

namespace lockstep {

// The epoch of the best validation accuracy, the first of equals; null without one.
const MetricsPoint* best_epoch(const RunRecord& run);

// Loss, accuracy and learning rate by epoch; the same by step where the run has such
// lines.
std::vector<Drawing> training_curves(const RunRecord& run);

}  // namespace lockstep
