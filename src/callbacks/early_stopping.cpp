#include "lockstep/callbacks/early_stopping.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "lockstep/core/text.h"

namespace lockstep {

EarlyStopping::EarlyStopping(const EarlyStoppingOptions& options)
    : options_(options), metric_(options.monitor, options.min_delta) {}

void EarlyStopping::on_run_begin(const RunEvent& event) {
  epochs_ = event.epochs;
  active_ = event.data.validation_rows > 0;
  if (!active_) spdlog::warn("early_stopping is off: no validation rows for {}", metric_.name());
}

Directive EarlyStopping::on_epoch_end(const EpochEvent& event) {
  Directive directive;
  if (!active_) return directive;
  const bool improved = metric_.update(event);
  const bool out_of_patience = metric_.epochs_without_improvement() >= options_.patience;
  directive.stop = !improved && out_of_patience && event.epoch > 0;
  if (directive.stop) directive.reason = reason();
  const bool last = directive.stop || event.epoch + 1 == epochs_;
  directive.restore_best = last && options_.restore_best && metric_.best().has_value();
  return directive;
}

std::string EarlyStopping::reason() const {
  const int count = metric_.epochs_without_improvement();
  std::string text =
      fmt::format("early stopping: no better {} for {}", metric_.name(), count_of(count, "epoch"));
  if (!metric_.best()) return text;
  return text +
         fmt::format(" (best {:.6g} in epoch {})", *metric_.best(), metric_.best_epoch() + 1);
}

}  // namespace lockstep
