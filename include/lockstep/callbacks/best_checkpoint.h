// Asks to keep the weights of each epoch whose metric is the best so far. Without
// validation rows nothing can be compared, so the latest weights count as best.
//
// Owned by the training loop, called on rank 0. Local.
#pragma once

#include <string>

#include "lockstep/callbacks/monitored_metric.h"
#include "lockstep/callbacks/options.h"
#include "lockstep/train/callback.h"

namespace lockstep {

class BestCheckpoint : public Callback {
 public:
  explicit BestCheckpoint(const BestCheckpointOptions& options) : metric_(options) {}

  void on_run_begin(const RunEvent& event) override;
  Directive on_epoch_end(const EpochEvent& event) override;

  std::string name() const override { return "best_checkpoint"; }
  std::string save_state() const override { return metric_.save(); }
  void load_state(const std::string& state) override { metric_.load(state, name()); }

 private:
  MonitoredMetric metric_;
  bool has_validation_ = true;
};

}  // namespace lockstep
