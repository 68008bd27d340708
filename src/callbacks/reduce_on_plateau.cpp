#include "lockstep/callbacks/reduce_on_plateau.h"

#include <spdlog/spdlog.h>

namespace lockstep {

ReduceOnPlateau::ReduceOnPlateau(const ReduceOnPlateauOptions& options)
    : options_(options), metric_(options.monitor, options.min_delta) {}

void ReduceOnPlateau::on_run_begin(const RunEvent& event) {
  active_ = event.data.validation_rows > 0;
  if (!active_) spdlog::warn("reduce_on_plateau is off: no validation rows for {}", metric_.name());
}

Directive ReduceOnPlateau::on_epoch_end(const EpochEvent& event) {
  Directive directive;
  if (!active_ || metric_.update(event)) return directive;
  if (metric_.epochs_without_improvement() < options_.patience) return directive;
  if (event.learning_rate <= options_.min_learning_rate) return directive;
  directive.learning_rate_factor = options_.factor;
  directive.min_learning_rate = options_.min_learning_rate;
  metric_.restart_count();
  return directive;
}

}  // namespace lockstep
