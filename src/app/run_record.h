// What a run left in its folder, for reports.
#pragma once

#include <filesystem>

#include "lockstep/report/report_data.h"

namespace lockstep {

// Local: metrics.jsonl, status.json, environment.json and times.json of a run
// folder, each where it is there; lines and values of other kinds are passed over.
// Error (2) when the folder holds no experiment.
RunRecord read_run_record(const std::filesystem::path& run_dir);

}  // namespace lockstep
