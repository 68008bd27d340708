#include "app/sweep_folder.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "lockstep/config/experiment.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/text.h"
#include "lockstep/run/run_files.h"
#include "lockstep/run/run_record.h"

namespace lockstep {

namespace {

using Json = nlohmann::json;

constexpr const char* kPlanFile = "sweep.json";

// What the launcher wrote of a run's end; a run that has not begun has no such file.
void read_outcome(const fs::path& path, SweptRun& run) {
  run.state = "waiting";
  if (!fs::is_regular_file(path)) return;
  const Json outcome = Json::parse(read_file(path));
  run.state = outcome.at("state").get<std::string>();
  run.cause = outcome.at("cause").get<std::string>();
  run.seconds = outcome.at("seconds").get<double>();
}

SweptRun read_run(const Json& planned, const fs::path& sweep) {
  SweptRun run;
  run.folder = planned.at("folder").get<std::string>();
  run.values = planned.at("values").get<std::vector<std::string>>();
  const fs::path run_dir = sweep / run.folder;
  read_outcome(run_dir / kOutcomeFile, run);
  if (fs::is_regular_file(run_dir / kExperimentFile)) run.record = read_run_record(run_dir);
  return run;
}

}  // namespace

bool is_sweep(const std::filesystem::path& folder) {
  return fs::is_regular_file(folder / kPlanFile);
}

Sweep read_sweep(const std::filesystem::path& folder) {
  try {
    const Json plan = Json::parse(read_file(folder / kPlanFile));
    Sweep sweep;
    sweep.name = plan.at("name").get<std::string>();
    sweep.fields = plan.at("fields").get<std::vector<std::string>>();
    sweep.ranked_by =
        plan.at("monitor") == "val_loss" ? RankedBy::kValLoss : RankedBy::kValAccuracy;
    for (const Json& planned : plan.at("runs")) sweep.runs.push_back(read_run(planned, folder));
    for (const SweptRun& run : sweep.runs) {
      if (run.values.size() != sweep.fields.size()) {
        fail_usage("{}: run {} has {} of {}", (folder / kPlanFile).string(), run.folder,
                   count_of(run.values.size(), "value"), count_of(sweep.fields.size(), "field"));
      }
    }
    if (sweep.runs.empty() || sweep.fields.empty()) {
      fail_usage("{}: expected at least one run and one swept field",
                 (folder / kPlanFile).string());
    }
    sweep.runs = ranked(std::move(sweep.runs), sweep.ranked_by);
    if (const SweptRun* best = best_run(sweep)) {
      sweep.best_experiment =
          to_text(load_kept_experiment((folder / best->folder / kExperimentFile).string()));
    }
    return sweep;
  } catch (const Json::exception& error) {
    fail_usage("{}: cannot be read: {}", folder.string(), error.what());
  }
}

}  // namespace lockstep
