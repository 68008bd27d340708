#include "lockstep/callbacks/status_file.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "lockstep/core/error.h"
#include "lockstep/core/host.h"
#include "lockstep/run/run_files.h"

namespace lockstep {

namespace {

using Json = nlohmann::ordered_json;

constexpr double kPeriodSeconds = 1;
constexpr const char* kRunning = "running";

Json number_or_null(const std::optional<double>& number) {
  return number ? Json(*number) : Json(nullptr);
}

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

std::string state_after(RunOutcome outcome) {
  switch (outcome) {
    case RunOutcome::kDone:
      return "done";
    case RunOutcome::kSaved:
      return "saved";
    case RunOutcome::kDiverged:
      return "diverged";
    case RunOutcome::kFailed:
      return "failed";
  }
  return "failed";
}

std::string text_of(const Json& status) {
  return status.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace

void StatusFile::on_run_begin(const RunEvent& event) {
  if (!event.run_dir.empty()) path_ = fs::path(event.run_dir) / kStatusFile;
  time_left_.begin(event);
  epoch_ = event.first_epoch + 1;
  step_ = event.first_step;
  write(kRunning);
}

void StatusFile::on_step(const StepEvent& event) {
  epoch_ = event.epoch + 1;
  step_ = event.step;
  train_loss_ = event.train_loss;
  images_per_second_ = event.images_per_second;
  eta_seconds_ = time_left_.update(event);
  if (event.seconds - written_at_seconds_ < kPeriodSeconds) return;
  written_at_seconds_ = event.seconds;
  write(kRunning);
}

Directive StatusFile::on_epoch_end(const EpochEvent& event) {
  metric_.update(event);
  train_loss_ = event.train_loss;
  val_accuracy_ = event.val_accuracy;
  return {};
}

void StatusFile::on_run_end(const EndEvent& event) {
  if (event.outcome == RunOutcome::kDone) {
    epoch_ = event.epochs;
    eta_seconds_ = 0;
  }
  step_ = event.step;
  reason_ = event.reason;
  write(state_after(event.outcome));
}

void StatusFile::write(const std::string& state) {
  if (path_.empty()) return;
  const Json status = {{"state", state},
                       {"reason", reason_.empty() ? Json(nullptr) : Json(reason_)},
                       {"epoch", epoch_},
                       {"step", step_},
                       {"steps_total", time_left_.steps_total()},
                       {"train_loss", number_or_null(train_loss_)},
                       {"val_accuracy", number_or_null(val_accuracy_)},
                       {"best", number_or_null(metric_.best())},
                       {"images_per_second", number_or_null(images_per_second_)},
                       {"eta_seconds", number_or_null(eta_seconds_)},
                       {"updated", utc_now()},
                       {"pid", ::getpid()},
                       {"host", host_name()}};
  try {
    write_file_atomically(path_, text_of(status));
    behind_ = false;
  } catch (const Error& error) {
    if (!behind_) spdlog::warn("{}; the file is out of date", error.what());
    behind_ = true;
  }
}

void mark_as_failed(const fs::path& run_dir, const std::string& reason) {
  try {
    const fs::path path = run_dir / kStatusFile;
    Json status = Json::parse(read_file(path));
    if (status.at("state") != kRunning) return;
    status["state"] = state_after(RunOutcome::kFailed);
    status["reason"] = reason;
    status["eta_seconds"] = nullptr;
    status["updated"] = utc_now();
    write_file_atomically(path, text_of(status));
  } catch (const std::exception&) {
    return;
  }
}

}  // namespace lockstep
