// The callbacks of an experiment. Local.
#pragma once

#include <memory>
#include <vector>

#include "lockstep/callbacks/options.h"
#include "lockstep/callbacks/progress_output.h"
#include "lockstep/train/callback.h"

namespace lockstep {

// In the order in which their hooks are to be called: those that write first, then
// those that ask for something. `log_every_steps` as in TrainOptions. The best
// epoch is everywhere the one of options.best_checkpoint.
std::vector<std::unique_ptr<Callback>> make_callbacks(const CallbackOptions& options,
                                                      int log_every_steps,
                                                      const ProgressOutput& output);

}  // namespace lockstep
