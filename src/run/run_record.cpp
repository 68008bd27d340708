#include "lockstep/run/run_record.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/run/run_files.h"
#include "lockstep/train/trainer.h"
#include "run/json_values.h"

namespace lockstep {

namespace {

// A value as a reader wants it: text without quotes, a list with commas.
std::string shown(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::vector<std::string> parts;
  for (const Json& each : value) parts.push_back(shown(each));
  return fmt::format("{}", fmt::join(parts, ", "));
}

// Host names by rank come from the environment.
std::vector<RankTimes> read_times(const Json& times, const Json& environment) {
  std::vector<RankTimes> by_rank;
  const Json none = Json::array();
  const auto hosts = environment.find("hosts_by_rank");
  for (const Json& rank : times.value("by_rank", none)) {
    const std::size_t number_of_rank = by_rank.size();
    RankTimes each;
    if (hosts != environment.end() && hosts->is_array() && number_of_rank < hosts->size()) {
      each.host = shown((*hosts)[number_of_rank]);
    }
    for (const auto& [name, time] : kTimesOfAStep) each.times.*time = number(rank, name);
    by_rank.push_back(std::move(each));
  }
  return by_rank;
}

// A line for each rank; its host stands in hosts_by_rank as well.
void add_places(const Json& places, RunRecord& record) {
  for (std::size_t rank = 0; rank < places.size(); ++rank) {
    const Json& place = places[rank];
    if (!place.is_object()) continue;
    record.environment.emplace_back(
        fmt::format("rank {}", rank),
        fmt::format("{}, rank {} there, cores {}, {}", text(place, "host"),
                    whole_number(place, "rank_on_node"), text(place, "cores"),
                    text(place, "processor")));
  }
}

}  // namespace

std::string times_json(const TrainResult& result) {
  Json json;
  json["steps"] = result.steps_run;
  const auto steps = static_cast<double>(std::max<std::int64_t>(result.steps_run, 1));
  for (const StepTimes& total : result.times_by_rank) {
    const StepTimes times = total / steps;
    Json& rank = json["by_rank"].emplace_back();
    for (const auto& [name, time] : kTimesOfAStep) rank[name] = times.*time;
  }
  return json.dump(2) + "\n";
}

RunRecord read_run_record(const fs::path& run_dir) {
  if (!fs::is_regular_file(run_dir / kExperimentFile)) {
    fail_usage("{}: no run folder; expected a folder with {}", run_dir.string(), kExperimentFile);
  }
  RunRecord record;
  record.folder = fs::canonical(run_dir).filename().string();
  record.outcome = text(read_object(run_dir / kStatusFile), "reason");
  for (MetricsPoint& point : read_metrics(run_dir)) {
    (point.kind == "epoch" ? record.epochs : record.steps).push_back(std::move(point));
  }
  const Json environment = read_object(run_dir / kEnvironmentFile);
  record.ranks = static_cast<int>(whole_number(environment, "world_size"));
  record.threads_per_rank = static_cast<int>(whole_number(environment, "threads_per_rank"));
  for (const auto& [key, value] : environment.items()) {
    if (key == "places" && value.is_array()) {
      add_places(value, record);
      continue;
    }
    record.environment.emplace_back(key, shown(value));
  }
  record.times = read_times(read_object(run_dir / kTimesFile), environment);
  return record;
}

}  // namespace lockstep
