// Several runs on one HTML page: results with the best marked, settings that
// differ, curves over each other. Text is treated as in report_files.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lockstep/report/report_data.h"

namespace lockstep {

struct ComparedRun {
  std::string name;  // of the experiment
  RunRecord record;
  std::int64_t parameters = 0;
  std::map<std::string, std::string> settings;  // of the experiment, value by path
};

// Local, any thread: the page; equal bytes for equal runs.
std::string compare_page(const std::vector<ComparedRun>& runs);

}  // namespace lockstep
