// The settings of callbacks (see fields.h).
#pragma once

#include "config/section.h"
#include "config/traits.h"
#include "lockstep/callbacks/options.h"

namespace lockstep {

inline constexpr const char* kMonitor = "the value watched";
inline constexpr const char* kMinDelta = "a smaller gain does not count";

template <class Visit>
void fields(Visit& visit, EarlyStoppingOptions& stopping) {
  auto& [monitor, patience, min_delta, restore_best] = stopping;
  visit("monitor", monitor, kMonitor);
  visit("patience", patience, "epochs", at_least(1));
  visit("min_delta", min_delta, kMinDelta, at_least(0));
  visit("restore_best", restore_best,
        "the final weights are those of the best epoch, which is the one that `best_checkpoint` "
        "kept");
}

template <class Visit>
void fields(Visit& visit, ReduceOnPlateauOptions& reduce) {
  auto& [monitor, patience, factor, min_delta, min_learning_rate] = reduce;
  visit("monitor", monitor, kMonitor);
  visit("patience", patience, "epochs", at_least(1));
  visit("factor", factor, "of the learning rate", inside_unit());
  visit("min_delta", min_delta, kMinDelta, at_least(0));
  visit("min_learning_rate", min_learning_rate, "the rate is never set below this", at_least(0));
}

template <class Visit>
void fields(Visit& visit, BestCheckpointOptions& best) {
  auto& [monitor, last] = best;
  visit("monitor", monitor, "which epoch's weights are kept under `checkpoints/best` (always on)");
  visit("last", last,
        "the last epoch counts as the best: of a rate that falls to 0, or of few validation rows, "
        "it is more to be trusted");
}

template <class Visit>
void fields(Visit& visit, CallbackOptions& callbacks) {
  auto& [early_stopping, reduce_on_plateau, best_checkpoint] = callbacks;
  visit.optional("early_stopping", "EarlyStopping", early_stopping,
                 "stop after `patience` epochs without a better value");
  visit.optional(
      "reduce_on_plateau", "ReduceOnPlateau", reduce_on_plateau,
      "multiply the learning rate by `factor` after `patience` epochs without a better value");
  section(visit, "best_checkpoint", "BestCheckpoint", best_checkpoint);
}

}  // namespace lockstep
