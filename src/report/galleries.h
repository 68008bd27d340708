// Pictures of rows, as PNG files show them.
#pragma once

#include <string>
#include <vector>

#include "lockstep/report/report_data.h"
#include "report/drawing.h"

namespace lockstep {

// Each row with what it is, what it was taken for (red where wrong), how sure the
// network was, and its number.
Drawing prediction_gallery(const std::string& title, const std::vector<PredictedRow>& rows,
                           const std::vector<std::string>& class_names);

// A line for each row: the image as it is, then as trained on.
Drawing sample_gallery(const std::vector<AugmentedRow>& rows,
                       const std::vector<std::string>& class_names);

}  // namespace lockstep
