// What a run left in its folder, for reports.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/parallel/step_times.h"
#include "lockstep/run/metrics_line.h"

namespace lockstep {

struct TrainResult;

// Mean seconds of an optimizer step on one rank.
struct RankTimes {
  std::string host;
  StepTimes times;
};

// What a run left in its folder.
struct RunRecord {
  std::string folder;   // its name, without the path
  std::string outcome;  // why the training ended; empty when not known
  std::vector<MetricsPoint> epochs;
  std::vector<MetricsPoint> steps;
  int ranks = 0;  // 0: not known
  int threads_per_rank = 0;
  std::vector<std::pair<std::string, std::string>> environment;  // name, value
  std::vector<RankTimes> times;                                  // by rank; empty: not known
};

// The text of times.json, from which RunRecord::times are read.
std::string times_json(const TrainResult& result);

// Local: metrics.jsonl, status.json, environment.json and times.json of a run
// folder, each where it is there; lines and values of other kinds are passed over.
// Error (2) when the folder holds no experiment.
RunRecord read_run_record(const std::filesystem::path& run_dir);

}  // namespace lockstep
