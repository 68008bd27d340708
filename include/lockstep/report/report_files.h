// A run's report: one HTML page that needs nothing else, and its pictures as files.
// Pure functions: equal bytes for equal data. Local, any thread. Text in names is
// shown as it is and never becomes markup; bytes that are no UTF-8 and control
// characters become U+FFFD. Errors: Error (1) when a picture cannot be drawn.
#pragma once

#include <map>
#include <string>

#include "lockstep/report/report_data.h"

namespace lockstep {

// Contents by file name: report.html, confusion_matrix.png and .svg, curves.png and
// .svg, misclassified.png, predictions.png, samples.png.
std::map<std::string, std::string> report_files(const ReportData& data);

}  // namespace lockstep
