// The best value so far of a metric of the epochs, and how long ago that was.
// A part of the callbacks that watch a metric; owned by one of them, used by the
// thread that runs it. Local.
#pragma once

#include <optional>
#include <string>

#include "lockstep/callbacks/options.h"
#include "lockstep/train/callback.h"

namespace lockstep {

class MonitoredMetric {
 public:
  // An improvement is a change for the better by more than `min_delta`.
  MonitoredMetric(Metric metric, double min_delta);
  // As checkpoints/best has it.
  explicit MonitoredMetric(const BestCheckpointOptions& best);

  // Takes in a finished epoch and says whether its value is an improvement, as
  // the first finite value is. A value that is not finite never is.
  bool update(const EpochEvent& event);

  // Counts epochs_without_improvement from 0 again.
  void restart_count() { count_ = 0; }

  std::optional<double> best() const { return best_; }
  int best_epoch() const { return best_epoch_; }  // from 0; -1 without a best one
  int epochs_without_improvement() const { return count_; }

  // "val_loss" or "val_accuracy".
  std::string name() const;

  // All of the above as JSON; doubles come back exactly. `load` throws Error (2)
  // for text that is no such state; `owner` names it.
  std::string save() const;
  void load(const std::string& state, const std::string& owner);

 private:
  Metric metric_;
  double min_delta_;
  std::optional<double> best_;
  int best_epoch_ = -1;
  int count_ = 0;
};

}  // namespace lockstep
