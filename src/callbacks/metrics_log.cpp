#include "lockstep/callbacks/metrics_log.h"

#include <fcntl.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "lockstep/core/files.h"

namespace lockstep {

namespace {

using Json = nlohmann::ordered_json;

// Whether the run state holds what `line` tells, so that it is not written again.
bool is_kept(const std::string& line, const RunEvent& event) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("kind")) return false;
  if (!json.contains("step") || !json["step"].is_number_integer()) return false;
  if (!json.contains("epoch") || !json["epoch"].is_number_integer()) return false;
  if (json["step"] > event.first_step) return false;
  return json["kind"] != "epoch" || json["epoch"] <= event.first_epoch;
}

// `unwritten` is what should follow in the file.
void cut_off(const fs::path& path, const std::string& unwritten, const RunEvent& event) {
  const std::string content = fs::exists(path) ? read_file(path) : "";
  std::istringstream lines(content + unwritten);
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    if (is_kept(line, event)) kept += line + '\n';
  }
  if (kept != content) write_file_atomically(path, kept);
}

}  // namespace

void MetricsLog::on_run_begin(const RunEvent& event) {
  if (event.run_dir.empty()) return;
  const fs::path path = fs::path(event.run_dir) / "metrics.jsonl";
  cut_off(path, file_.close(), event);
  file_.open(path, O_CREAT);
  open_ = true;
}

void MetricsLog::on_step(const StepEvent& event) {
  if (every_steps_ <= 0 || event.step % every_steps_ != 0) return;
  const Json line = {{"kind", "step"},
                     {"epoch", event.epoch + 1},
                     {"step", event.step},
                     {"train_loss", event.train_loss},
                     {"train_accuracy", event.train_accuracy},
                     {"learning_rate", event.learning_rate},
                     {"images_per_second", event.images_per_second},
                     {"seconds", event.seconds}};
  append(line.dump());
}

Directive MetricsLog::on_epoch_end(const EpochEvent& event) {
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
  append(line.dump());
  return {};
}

void MetricsLog::append(const std::string& line) {
  if (open_) file_.append(line + '\n');
}

}  // namespace lockstep
