#include "lockstep/callbacks/metrics_log.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "lockstep/core/error.h"

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

MetricsLog::~MetricsLog() { close(); }

void MetricsLog::close() {
  if (file_ >= 0) ::close(file_);
  file_ = -1;
}

void MetricsLog::on_run_begin(const RunEvent& event) {
  if (event.run_dir.empty()) return;
  close();
  path_ = fs::path(event.run_dir) / "metrics.jsonl";
  cut_off(path_, std::exchange(unwritten_, {}), event);
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file_ < 0)
    fail_internal("{}: open for appending failed: {}", path_.string(), std::strerror(errno));
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
  if (path_.empty()) return;
  const bool was_behind = !unwritten_.empty();
  unwritten_ += line + '\n';
  while (!unwritten_.empty()) {
    const ::ssize_t written = ::write(file_, unwritten_.data(), unwritten_.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      if (was_behind) return;
      const int error = errno;
      spdlog::warn("{}: write failed: {}; its lines are kept and written later", path_.string(),
                   std::strerror(error));
      return;
    }
    unwritten_.erase(0, static_cast<std::size_t>(written));
  }
}

}  // namespace lockstep
