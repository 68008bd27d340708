#include "app/run_record.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "lockstep/core/error.h"
#include "lockstep/core/files.h"

namespace lockstep {

namespace {

using Json = nlohmann::ordered_json;

// The object in a text; an empty one where there is none.
Json parse_object(const std::string& text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? json : Json::object();
}

Json read_object(const fs::path& path) {
  return fs::is_regular_file(path) ? parse_object(read_file(path)) : Json::object();
}

double number(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>()
                                                     : std::numeric_limits<double>::quiet_NaN();
}

std::int64_t whole_number(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

std::string text(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// A value as a reader wants it: text without quotes, a list with commas.
std::string shown(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::vector<std::string> parts;
  for (const Json& each : value) parts.push_back(shown(each));
  return fmt::format("{}", fmt::join(parts, ", "));
}

MetricsPoint read_point(const Json& line) {
  MetricsPoint point;
  point.epoch = static_cast<int>(whole_number(line, "epoch"));
  point.step = whole_number(line, "step");
  point.train_loss = number(line, "train_loss");
  point.train_accuracy = number(line, "train_accuracy");
  point.val_loss = number(line, "val_loss");
  point.val_accuracy = number(line, "val_accuracy");
  point.learning_rate = number(line, "learning_rate");
  point.images_per_second = number(line, "images_per_second");
  point.seconds = number(line, "seconds");
  point.weights_digest = text(line, "weights_digest");
  return point;
}

void read_metrics(const fs::path& path, RunRecord& record) {
  if (!fs::is_regular_file(path)) return;
  std::istringstream lines(read_file(path));
  for (std::string each; std::getline(lines, each);) {
    const Json line = parse_object(each);
    const std::string kind = text(line, "kind");
    if (kind == "epoch") record.epochs.push_back(read_point(line));
    if (kind == "step") record.steps.push_back(read_point(line));
  }
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
    each.data = number(rank, "data");
    each.forward = number(rank, "forward");
    each.backward = number(rank, "backward");
    each.wait = number(rank, "wait");
    each.sum = number(rank, "sum");
    each.update = number(rank, "update");
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

RunRecord read_run_record(const fs::path& run_dir) {
  if (!fs::is_regular_file(run_dir / "experiment.textproto")) {
    fail_usage("{}: no run folder; expected a folder with experiment.textproto", run_dir.string());
  }
  RunRecord record;
  record.folder = fs::canonical(run_dir).filename().string();
  record.outcome = text(read_object(run_dir / "status.json"), "reason");
  read_metrics(run_dir / "metrics.jsonl", record);
  const Json environment = read_object(run_dir / "environment.json");
  record.ranks = static_cast<int>(whole_number(environment, "world_size"));
  record.threads_per_rank = static_cast<int>(whole_number(environment, "threads_per_rank"));
  for (const auto& [key, value] : environment.items()) {
    if (key == "places" && value.is_array()) {
      add_places(value, record);
      continue;
    }
    record.environment.emplace_back(key, shown(value));
  }
  record.times = read_times(read_object(run_dir / "times.json"), environment);
  return record;
}

}  // namespace lockstep
