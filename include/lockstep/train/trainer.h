// The training loop: epochs of steps, an evaluation after each, callbacks on
// rank 0, checkpoints of the run state. One a rank, all in step.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/checkpoint/checkpoint_folder.h"
#include "lockstep/checkpoint/options.h"
#include "lockstep/checkpoint/safetensors.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/core/workers.h"
#include "lockstep/data/training_data.h"
#include "lockstep/eval/evaluation.h"
#include "lockstep/eval/evaluator.h"
#include "lockstep/model/network.h"
#include "lockstep/model/weights.h"
#include "lockstep/parallel/options.h"
#include "lockstep/parallel/step_runner.h"
#include "lockstep/train/callback.h"
#include "lockstep/train/options.h"
#include "lockstep/train/run_state.h"
#include "lockstep/train/stepper.h"

namespace lockstep {

struct TrainSettings {
  ParallelOptions parallel;
  TrainOptions train;
  CheckpointOptions checkpoint;
  std::uint64_t seed = 1;
  std::vector<std::string> class_names;
  std::filesystem::path run_dir;  // empty: nothing is written
  // Where this rank keeps checkpoints in its host's memory; empty: it does not.
  std::filesystem::path memory_folder;
  Metadata metadata;  // of the weights on disk

  // Of the weights that a new run begins with, in hex, if they came from a file; one that goes
  // on has it from its checkpoint.
  std::string initial_digest;

  // The checkpoint to go on from; the same on every rank, empty to begin anew.
  CheckpointFiles resume_from;

  // The training is interrupted after this step; -1: it is not.
  std::int64_t last_step = -1;

  // Local: whether this process was asked to save and end; asked before each step.
  std::function<bool()> stop_requested = [] { return false; };
};

struct TrainResult {
  std::vector<float> weights;  // final flat weights [network.total_size()]
  Digest weights_digest;
  Evaluation validation;                 // of those weights; empty when interrupted
  std::vector<float> validation_logits;  // of the validation rows held here; likewise
  std::string reason;                    // why the training ended
  std::int64_t steps = 0;
  int best_epoch = -1;                   // from 0; -1 without one
  std::int64_t steps_run = 0;            // by this process
  std::vector<StepTimes> times_by_rank;  // of those steps together
  bool interrupted = false;              // saved before its end; wants to be started again
};

// Where a rank's work is done.
struct Engine {
  Stepper& stepper;
  Evaluator& evaluator;
};

// A step whose gradients are not finite is skipped, on every rank. After 3 in a row the
// training goes back to its last checkpoint, with half the learning rate from then on;
// where there is none, or none later than the steps that diverged before, it ends.
//
// Collective. `callbacks` are used on rank 0 alone. Errors: 2 (agreed) when the
// state to resume does not fit, 3 (agreed) when the training diverged, 4 (agreed)
// when replicas differ.
TrainResult train(Communicator& comm, const Network& network, const TrainingData& data,
                  const Engine& engine, const TrainSettings& settings,
                  std::vector<std::unique_ptr<Callback>>& callbacks);

// Collective: the same on the cores of the CPU.
TrainResult train(Communicator& comm, const Network& network, const TrainingData& data,
                  Workers& workers, const TrainSettings& settings,
                  std::vector<std::unique_ptr<Callback>>& callbacks);

}  // namespace lockstep
