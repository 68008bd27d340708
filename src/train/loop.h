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
  Loop(Communicator& comm, const Network& network, const TrainingData& data, Workers& workers,
       const TrainSettings& settings, std::vector<std::unique_ptr<Callback>>& callbacks);

  TrainResult run();

 private:
  using Clock = std::chrono::steady_clock;

  void resume();
  void load(const CheckpointFiles& files);
  void announce();
  void run_epoch();
  void run_step();
  void check_finite(const StepSum& sum);
  void log_step();
  void obey(const StepSum& sum);
  void end_epoch();
  Directive ask_callbacks(const EpochEvent& event);
  void save(AsBest best);
  bool save_is_due() const;
  void restore_best();
  TrainResult finish();

  float learning_rate(std::int64_t step) const;
  double mean_loss() const;
  double accuracy() const;
  double images_per_second() const;
  bool root() const { return comm_.rank() == 0; }

  Communicator& comm_;
  const Network& network_;
  const TrainingData& data_;
  Workers& workers_;
  const TrainSettings& settings_;
  std::vector<std::unique_ptr<Callback>>& callbacks_;
  Stepper stepper_;
  Evaluator evaluator_;
  ScheduleSpan span_;
  std::unique_ptr<CheckpointWriter> writer_;  // on rank 0, with a run folder

  LoopState at_;
  std::vector<float> best_;  // weights of at_.best_epoch
  bool interrupted_ = false;
  Clock::time_point begin_ = Clock::now();
  Clock::time_point epoch_begin_ = begin_;
  Clock::time_point saved_ = begin_;
  std::int64_t samples_before_ = 0;  // of this epoch, done by an earlier process
};

}  // namespace lockstep
