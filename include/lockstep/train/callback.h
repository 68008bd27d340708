// What rank 0 does beside the training: progress, logs, early stopping.
//
// Callbacks run on rank 0 alone, hold no communicator (so they cannot deadlock)
// and see const events. What they want of the training they say in a Directive,
// which the loop broadcasts and every rank obeys at the same step. Their state is
// part of the run state.
#pragma once

#include <cstdint>
#include <string>

#include "lockstep/core/digest.h"
#include "lockstep/data/training_data.h"
#include "lockstep/parallel/step_times.h"

namespace lockstep {

struct RunEvent {
  std::string run_dir;
  DataSummary data;
  int epochs = 0;
  int first_epoch = 0;          // the first that this process trains, from 0
  std::int64_t first_step = 0;  // optimizer steps done before this process began
  std::int64_t steps_per_epoch = 0;
  int global_batch = 0;
  int world_size = 1;
  int workers = 1;  // threads of each rank
  int top_k = 0;    // of the validation; 0: none
};

struct StepEvent {
  int epoch = 0;                // from 0
  std::int64_t step = 0;        // optimizer steps done in the run, from 1
  std::int64_t epoch_step = 0;  // steps done in this epoch, from 1
  double train_loss = 0;        // mean over the epoch so far
  double train_accuracy = 0;    // in [0, 1], over the epoch so far
  double learning_rate = 0;
  double images_per_second = 0;  // over the epoch so far
  double seconds = 0;            // since the run began
};

struct EpochEvent {
  int epoch = 0;          // from 0
  std::int64_t step = 0;  // optimizer steps done in the run
  double train_loss = 0;
  double train_accuracy = 0;
  double val_loss = 0;            // NaN without validation rows
  double val_accuracy = 0;        // NaN without validation rows
  int top_k = 0;                  // 0: none was asked for
  double val_top_k_accuracy = 0;  // NaN without validation rows, or top_k
  double learning_rate = 0;       // of the epoch's last step
  double images_per_second = 0;
  double seconds = 0;  // of this epoch, its evaluation included
  Digest weights_digest;
  Straggler straggler;  // in this epoch's steps that this process did
};

enum class RunOutcome {
  kDone,      // all epochs, or a callback stopped it
  kSaved,     // interrupted on request; wants to be started again
  kDiverged,  // an Error with exit code 3 is on its way
  kFailed,    // any other one is
};

struct EndEvent {
  RunOutcome outcome = RunOutcome::kDone;
  int epochs = 0;  // done in all
  std::int64_t step = 0;
  double seconds = 0;
  std::string reason;     // "all epochs done", "early stopping: ...", an error's message, ...
  Digest weights_digest;  // of kDone and kSaved
};

// What a callback asks of the loop. Requests of several callbacks are joined.
struct Directive {
  double learning_rate_factor = 1;  // multiplies the schedule's rate from now on
  double min_learning_rate = 0;     // ... but never below this
  bool keep_as_best = false;        // these weights are the best so far
  bool stop = false;                // end the training now
  bool restore_best = false;        // if the training ends here, the best weights are final
  std::string reason;               // for `stop`
};

class Callback {
 public:
  virtual ~Callback() = default;

  // Also when the training goes back to a checkpoint: load_state() comes first then,
  // as in a resume, and what was told of later steps no longer holds.
  virtual void on_run_begin(const RunEvent& /*event*/) {}
  virtual void on_step(const StepEvent& /*event*/) {}
  virtual Directive on_epoch_end(const EpochEvent& /*event*/) { return {}; }
  virtual void on_run_end(const EndEvent& /*event*/) {}

  // A unique word for this callback in the run state, and its state as text;
  // empty for one without state.
  virtual std::string name() const = 0;
  virtual std::string save_state() const { return {}; }
  virtual void load_state(const std::string& /*state*/) {}
};

}  // namespace lockstep
