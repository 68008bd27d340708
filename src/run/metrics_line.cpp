#include "lockstep/run/metrics_line.h"

#include <sstream>

#include "lockstep/core/files.h"
#include "lockstep/run/run_files.h"
#include "run/json_values.h"

namespace lockstep {

namespace {

// Calls `visit` with name and member of each number, in the order of a line; `line` is a
// MetricsPoint or one of the events that it tells.
template <typename Line, typename Visit>
void each_number(Line& line, const Visit& visit) {
  visit("train_loss", line.train_loss);
  visit("train_accuracy", line.train_accuracy);
  if constexpr (requires { line.val_loss; }) {
    visit("val_loss", line.val_loss);
    visit("val_accuracy", line.val_accuracy);
  }
  visit("learning_rate", line.learning_rate);
  visit("images_per_second", line.images_per_second);
  visit("seconds", line.seconds);
}

template <typename Event>
Json json_of(const char* kind, const Event& event) {
  Json line = {{"kind", kind}, {"epoch", event.epoch + 1}, {"step", event.step}};
  each_number(event, [&](const char* name, double value) { line[name] = value; });
  return line;
}

}  // namespace

std::string metrics_line(const StepEvent& event) { return json_of("step", event).dump(); }

std::string metrics_line(const EpochEvent& event) {
  Json line = json_of("epoch", event);
  if (event.top_k > 0) {
    line["top_k"] = event.top_k;
    line["val_top_k_accuracy"] = event.val_top_k_accuracy;
  }
  line["slowest_rank"] = event.straggler.rank;
  line["slowest_excess"] = event.straggler.excess;
  line["slowest_for"] = name_of(event.straggler.cause);
  line["weights_digest"] = event.weights_digest.hex();
  return line.dump();
}

std::optional<MetricsPoint> read_metrics_line(const std::string& line) {
  const Json json = parse_object(line);
  for (const char* key : {"epoch", "step"}) {
    if (!json.contains(key) || !json[key].is_number_integer()) return std::nullopt;
  }
  MetricsPoint point;
  point.kind = text(json, "kind");
  if (point.kind.empty()) return std::nullopt;
  point.epoch = static_cast<int>(whole_number(json, "epoch"));
  point.step = whole_number(json, "step");
  each_number(point, [&](const char* name, double& value) { value = number(json, name); });
  point.weights_digest = text(json, "weights_digest");
  return point;
}

std::vector<MetricsPoint> read_metrics(const fs::path& run_dir) {
  std::vector<MetricsPoint> points;
  const fs::path path = run_dir / kMetricsFile;
  if (!fs::is_regular_file(path)) return points;
  std::istringstream lines(read_file(path));
  for (std::string line; std::getline(lines, line);) {
    std::optional<MetricsPoint> point = read_metrics_line(line);
    if (point && (point->kind == "epoch" || point->kind == "step")) {
      points.push_back(std::move(*point));
    }
  }
  return points;
}

}  // namespace lockstep
