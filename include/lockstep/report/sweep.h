// A sweep: runs of one experiment that differ in some fields, and their ranking.
// Plain values and pure functions; any thread.
#pragma once

#include <string>
#include <vector>

#include "lockstep/report/report_data.h"

namespace lockstep {

struct SweptRun {
  std::string folder;               // its name within the sweep's folder
  std::string state;                // done, or what else became of it
  std::string cause;                // of a failure, one line; else empty
  double seconds = 0;               // over all its starts
  std::vector<std::string> values;  // of the swept fields, in their order
  RunRecord record;                 // without epochs where nothing is known
};

// The metric whose best epoch counts: the most accuracy, or the least loss.
enum class RankedBy { kValAccuracy, kValLoss };

struct Sweep {
  std::string name;                 // of the experiment
  std::vector<std::string> fields;  // the swept ones, by path
  RankedBy ranked_by = RankedBy::kValAccuracy;
  std::vector<SweptRun> runs;
  std::string best_experiment;  // text of the best run's experiment; empty without one
};

// The run's best epoch, the first of equals; null without a finite value.
const MetricsPoint* best_epoch(const SweptRun& run, RankedBy ranked_by);

// The runs in the order of their rank: those that are done, the best first, of equal
// ones that with less loss then, then the first; then those that have not ended; then
// those that failed or diverged.
std::vector<SweptRun> ranked(std::vector<SweptRun> runs, RankedBy ranked_by);

// Runs that failed for one cause.
struct SweepFailure {
  std::string state;
  std::string cause;
  std::vector<std::string> folders;
};

// Whether the run failed or diverged.
bool has_failed(const SweptRun& run);

// The first of ranked runs, when it is done and has a result; else null.
const SweptRun* best_run(const Sweep& sweep);

// The failed runs by state and cause, in the order of the first of each.
std::vector<SweepFailure> failures(const std::vector<SweptRun>& runs);

// The shortest ends of paths that tell them apart, a layer's with its kind:
// learning_rate, conv.filters.
std::vector<std::string> short_names(const std::vector<std::string>& paths);

}  // namespace lockstep
