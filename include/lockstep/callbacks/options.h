// The callbacks section of an experiment. An absent callback is off. Plain
// values, the only home of their defaults.
#pragma once

#include <optional>

namespace lockstep {

enum class Metric { kValLoss, kValAccuracy };

// Ends the training after `patience` epochs without a better value.
// The best epoch is the one that best_checkpoint kept.
struct EarlyStoppingOptions {
  Metric monitor = Metric::kValAccuracy;
  int patience = 5;
  double min_delta = 0;
  bool restore_best = true;  // the final weights are those of the best epoch
};

// Multiplies the learning rate by `factor` after `patience` epochs without a
// better value.
struct ReduceOnPlateauOptions {
  Metric monitor = Metric::kValLoss;
  int patience = 3;
  double factor = 0.5;
  double min_delta = 1e-4;
  double min_learning_rate = 1e-7;
};

// Keeps the weights of the best epoch under checkpoints/best.
struct BestCheckpointOptions {
  Metric monitor = Metric::kValAccuracy;
  bool last = false;  // the last epoch is the best one, whatever its value
};

struct CallbackOptions {
  std::optional<EarlyStoppingOptions> early_stopping;
  std::optional<ReduceOnPlateauOptions> reduce_on_plateau;
  BestCheckpointOptions best_checkpoint;
};

}  // namespace lockstep
