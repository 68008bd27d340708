// One optimizer step after the other: a replica of the weights, its optimizer and
// the runner of the lanes. What the training loop and the benchmark share. One a
// rank, all in step.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "lockstep/comm/communicator.h"
#include "lockstep/core/workers.h"
#include "lockstep/data/training_data.h"
#include "lockstep/model/network.h"
#include "lockstep/model/weights.h"
#include "lockstep/parallel/options.h"
#include "lockstep/parallel/step_runner.h"
#include "lockstep/train/optimizer.h"
#include "lockstep/train/options.h"

namespace lockstep {

class Stepper {
 public:
  // Collective. Begins with the initial weights of `seed`. References must outlive it.
  Stepper(Communicator& comm, const Network& network, const TrainingData& data, Workers& workers,
          const ParallelOptions& parallel, const TrainOptions& train, std::uint64_t seed);

  // Collective: step `step` of `epoch`, both from 0, at `learning_rate`. Leaves the
  // weights alone when a gradient is not finite (sum.square_norm tells).
  StepSum step(int epoch, std::int64_t step, float learning_rate);

  // Local.
  Weights& weights() { return weights_; }
  const Weights& weights() const { return weights_; }
  Optimizer& optimizer() { return optimizer_; }
  const Optimizer& optimizer() const { return optimizer_; }

  // The weights to evaluate and to keep: with an ema_decay d their moving average
  // (Polyak and Juditsky 1992, in the exponential form), a = d_t a + (1 - d_t) w after
  // update t, d_t = min(d, (1 + t) / (10 + t)); without one the weights themselves.
  Weights result() const;
  void set_average(std::vector<float> average) { average_ = std::move(average); }
  StepRunner& runner() { return runner_; }
  std::int64_t updates() const { return updates_; }  // steps that changed the weights
  void set_updates(std::int64_t updates) { updates_ = updates; }

 private:
  void update(const StepSum& sum, int worker, float learning_rate);
  void update_average(Range range, std::int64_t update);

  const Network& network_;
  const TrainingData& data_;
  Workers& workers_;
  int global_batch_;
  float clip_norm_;
  float ema_decay_;
  Weights weights_;
  std::vector<float> average_;  // of the weights; empty without an ema_decay
  Optimizer optimizer_;
  StepRunner runner_;
  std::int64_t updates_ = 0;
};

}  // namespace lockstep
