// Lowers the learning rate when a metric has stopped getting better, as Keras'
// ReduceLROnPlateau does without a cooldown: when `patience` epochs in a row (at
// least one) were no improvement and the rate is above its minimum, the rate is
// multiplied by `factor`, and the count starts again. Off, with a warning in the
// log, where there are no validation rows.
//
// Owned by the training loop, called on rank 0. Local.
#pragma once

#include <string>

#include "lockstep/callbacks/monitored_metric.h"
#include "lockstep/callbacks/options.h"
#include "lockstep/train/callback.h"

namespace lockstep {

class ReduceOnPlateau : public Callback {
 public:
  explicit ReduceOnPlateau(const ReduceOnPlateauOptions& options);

  void on_run_begin(const RunEvent& event) override;
  Directive on_epoch_end(const EpochEvent& event) override;

  std::string name() const override { return "reduce_on_plateau"; }
  std::string save_state() const override { return metric_.save(); }
  void load_state(const std::string& state) override { metric_.load(state, name()); }

 private:
  ReduceOnPlateauOptions options_;
  MonitoredMetric metric_;
  bool active_ = true;
};

}  // namespace lockstep
