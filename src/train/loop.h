// The training loop as an object; see trainer.h.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "lockstep/checkpoint/checkpoint_writer.h"
#include "lockstep/eval/evaluator.h"
#include "lockstep/train/schedule.h"
#include "lockstep/train/stepper.h"
#include "lockstep/train/trainer.h"

namespace lockstep {

class Loop {
 public:
  Loop(Communicator& comm, const Network& network, const TrainingData& data, const Engine& engine,
       const TrainSettings& settings, std::vector<std::unique_ptr<Callback>>& callbacks);

  TrainResult run();

 private:
  using Clock = std::chrono::steady_clock;

  void resume();
  void load(const CheckpointFiles& files);
  void go_back();
  void announce();
  void run_epoch();
  void run_step();
  void take_in(const StepSum& sum);
  std::string where_not_finite();
  void log_step();
  void obey(const StepSum& sum);
  StepTimes take_times();
  void end_epoch();
  Directive ask_callbacks(const EpochEvent& event);
  CheckpointFiles snapshot(AsBest best);
  void save(AsBest best);
  void save_in_memory();
  void forget_in_memory();
  bool save_is_due() const;
  Weights result_weights() const;
  TrainResult finish();
  void end(RunOutcome outcome, const std::string& reason, const Digest& weights_digest);

  float learning_rate(std::int64_t step) const;
  double mean_loss() const;
  double accuracy() const;
  double images_per_second() const;
  bool root() const { return comm_.rank() == 0; }

  Communicator& comm_;
  const Network& network_;
  const TrainingData& data_;
  const TrainSettings& settings_;
  std::vector<std::unique_ptr<Callback>>& callbacks_;
  Stepper& stepper_;
  Evaluator& evaluator_;
  ScheduleSpan span_;
  std::unique_ptr<CheckpointWriter> writer_;         // on rank 0, with a run folder
  std::unique_ptr<CheckpointWriter> memory_writer_;  // on the first rank of each host, if asked for

  LoopState at_;
  std::string initial_digest_;  // of the run, as RunState has it
  std::vector<float> best_;     // weights of at_.best_epoch
  CheckpointFiles last_;        // the last checkpoint, to go back to; the same on every rank
  std::int64_t last_step_ = 0;  // of which step it is
  bool interrupted_ = false;
  std::int64_t steps_run_ = 0;  // by this process
  StepTimes times_;             // of those steps together
  Clock::time_point begin_ = Clock::now();
  Clock::time_point epoch_begin_ = begin_;
  Clock::time_point saved_ = begin_;
  std::int64_t samples_before_ = 0;  // of this epoch, done by an earlier process
};

}  // namespace lockstep
