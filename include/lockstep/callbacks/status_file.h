// Keeps status.json in the run folder, for scripts that watch a run: state
// ("running", "done", "saved", "diverged", "failed"), reason (of the end), epoch (that
// is trained, from 1), step, steps_total, train_loss, val_accuracy (of the last
// evaluation), best (value of the monitored metric), images_per_second, eta_seconds,
// updated (UTC, ISO 8601), pid, host. What is not known is null. Replaced as a whole
// when the run begins and ends, and with steps at most once a second; a job that is killed as a
// whole leaves "running". A failed write leaves the file as it was and a line in
// the log. A run without a folder writes nothing.
//
// Owned by the training loop, called on rank 0. Local.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "lockstep/callbacks/monitored_metric.h"
#include "lockstep/callbacks/options.h"
#include "lockstep/callbacks/time_left.h"
#include "lockstep/core/files.h"
#include "lockstep/train/callback.h"

namespace lockstep {

class StatusFile : public Callback {
 public:
  explicit StatusFile(const BestCheckpointOptions& best) : metric_(best) {}

  void on_run_begin(const RunEvent& event) override;
  void on_step(const StepEvent& event) override;
  Directive on_epoch_end(const EpochEvent& event) override;
  void on_run_end(const EndEvent& event) override;

  std::string name() const override { return "status_file"; }
  std::string save_state() const override { return metric_.save(); }
  void load_state(const std::string& state) override { metric_.load(state, name()); }

 private:
  void write(const std::string& state);

  MonitoredMetric metric_;
  TimeLeft time_left_;
  fs::path path_;
  std::string reason_;
  int epoch_ = 0;
  std::int64_t step_ = 0;
  std::optional<double> train_loss_;
  std::optional<double> val_accuracy_;
  std::optional<double> images_per_second_;
  std::optional<double> eta_seconds_;
  bool behind_ = false;  // the last write failed
  double written_at_seconds_ = -std::numeric_limits<double>::infinity();
};

// In the status of a run that says "running", by a rank that ends the job: "failed" and the reason.
// Local, any thread; errors are nobody's any more and ignored.
void mark_as_failed(const fs::path& run_dir, const std::string& reason);

}  // namespace lockstep
