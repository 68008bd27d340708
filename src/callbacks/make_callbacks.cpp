#include "lockstep/callbacks/make_callbacks.h"

#include "lockstep/callbacks/best_checkpoint.h"
#include "lockstep/callbacks/early_stopping.h"
#include "lockstep/callbacks/metrics_log.h"
#include "lockstep/callbacks/progress.h"
#include "lockstep/callbacks/reduce_on_plateau.h"
#include "lockstep/callbacks/status_file.h"
#include "lockstep/callbacks/tensorboard.h"

namespace lockstep {

std::vector<std::unique_ptr<Callback>> make_callbacks(const CallbackOptions& options,
                                                      int log_every_steps,
                                                      const ProgressOutput& output) {
  std::vector<std::unique_ptr<Callback>> callbacks;
  callbacks.push_back(std::make_unique<MetricsLog>(log_every_steps));
  callbacks.push_back(std::make_unique<TensorBoard>(log_every_steps));
  callbacks.push_back(std::make_unique<StatusFile>(options.best_checkpoint));
  callbacks.push_back(std::make_unique<Progress>(output, options.best_checkpoint));
  callbacks.push_back(std::make_unique<BestCheckpoint>(options.best_checkpoint));
  if (options.reduce_on_plateau) {
    callbacks.push_back(std::make_unique<ReduceOnPlateau>(*options.reduce_on_plateau));
  }
  if (options.early_stopping) {
    callbacks.push_back(std::make_unique<EarlyStopping>(*options.early_stopping));
  }
  return callbacks;
}

}  // namespace lockstep
