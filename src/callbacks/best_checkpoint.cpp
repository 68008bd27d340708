#include "lockstep/callbacks/best_checkpoint.h"

namespace lockstep {

void BestCheckpoint::on_run_begin(const RunEvent& event) {
  has_validation_ = event.data.validation_rows > 0;
}

Directive BestCheckpoint::on_epoch_end(const EpochEvent& event) {
  Directive directive;
  directive.keep_as_best = !has_validation_ || metric_.update(event);
  return directive;
}

}  // namespace lockstep
