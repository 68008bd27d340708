// Ends the training when a metric has stopped getting better, as Keras'
// EarlyStopping does: at the first epoch, the very first one excepted, that is no
// improvement and with which `patience` or more epochs in a row were none (so 0
// is the same as 1). The best weights, those that BestCheckpoint kept, become the
// final ones then, and also when the last epoch ends the training. Off, with a
// warning in the log, where there are no validation rows.
//
// Owned by the training loop, called on rank 0. Local.
#pragma once

#include <string>

#include "lockstep/callbacks/monitored_metric.h"
#include "lockstep/callbacks/options.h"
#include "lockstep/train/callback.h"

namespace lockstep {

class EarlyStopping : public Callback {
 public:
  explicit EarlyStopping(const EarlyStoppingOptions& options);

  void on_run_begin(const RunEvent& event) override;
  Directive on_epoch_end(const EpochEvent& event) override;

  std::string name() const override { return "early_stopping"; }
  std::string save_state() const override { return metric_.save(); }
  void load_state(const std::string& state) override { metric_.load(state, name()); }

 private:
  std::string reason() const;

  EarlyStoppingOptions options_;
  MonitoredMetric metric_;
  int epochs_ = 0;
  bool active_ = true;
};

}  // namespace lockstep
