#include "lockstep/run/metrics_line.h"

#include <sstream>

#include "lockstep/core/files.h"
#include "lockstep/run/run_files.h"
#include "run/json_values.h"

namespace lockstep {

std::string metrics_line(const StepEvent& event) {
  const Json line = {{"kind", "step"},
                     {"epoch", event.epoch + 1},
                     {"step", event.step},
                     {"train_loss", event.train_loss},
                     {"train_accuracy", event.train_accuracy},
                     {"learning_rate", event.learning_rate},
                     {"images_per_second", event.images_per_second},
                     {"seconds", event.seconds}};
  return line.dump();
}

std::string metrics_line(const EpochEvent& event) {
  const Straggler& straggler = event.straggler;
  const Json line = {{"kind", "epoch"},
                     {"epoch", event.epoch + 1},
                     {"step", event.step},
                     {"train_loss", event.train_loss},
                     {"train_accuracy", event.train_accuracy},
                     {"val_loss", event.val_loss},
                     {"val_accuracy", event.val_accuracy},
                     {"learning_rate", event.learning_rate},
                     {"images_per_second", event.images_per_second},
                     {"seconds", event.seconds},
                     {"slowest_rank", straggler.rank},
                     {"slowest_excess", straggler.excess},
                     {"slowest_for", name_of(straggler.cause)},
                     {"weights_digest", event.weights_digest.hex()}};
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
  point.train_loss = number(json, "train_loss");
  point.train_accuracy = number(json, "train_accuracy");
  point.val_loss = number(json, "val_loss");
  point.val_accuracy = number(json, "val_accuracy");
  point.learning_rate = number(json, "learning_rate");
  point.images_per_second = number(json, "images_per_second");
  point.seconds = number(json, "seconds");
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
