// One optimizer step after the other on a replica of the weights. What the training
// loop and the benchmark see of where the work is done: the CPU's cores (CpuStepper) or a
// GPU. One a rank, all in step; used by the rank's main thread.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "lockstep/model/network.h"
#include "lockstep/model/weights.h"
#include "lockstep/parallel/options.h"
#include "lockstep/parallel/step_runner.h"
#include "lockstep/parallel/step_times.h"
#include "lockstep/train/optimizer.h"
#include "lockstep/train/options.h"

namespace lockstep {

// What a rank has of the training: the same on every rank after the same step.
struct Replica {
  Weights weights;
  std::vector<float> average;  // [network.total_size()]; empty without an ema_decay
  Optimizer optimizer;
  std::int64_t updates = 0;                     // steps that changed the weights
  std::set<std::string> taken_statistics = {};  // by name; see Network::update_statistics

  // The weights to evaluate and to keep: with an ema_decay d their moving average
  // (Polyak and Juditsky 1992, in the exponential form), a = d_t a + (1 - d_t) w after
  // update t, d_t = min(d, (1 + t) / (10 + t)); without one the weights themselves.
  Weights result() const;
};

// Local: with the initial weights of `seed`.
Replica first_replica(const Network& network, const ParallelOptions& parallel,
                      const TrainOptions& train, std::uint64_t seed);

// Local: the weights of the loss by class, [classes]; empty: 1 each. Balanced, rows / (present
// classes * rows of the class) of the training rows, as scikit-learn has it, so that their mean
// over the rows is 1; 0 for a class without rows.
std::vector<float> loss_weights(const TrainOptions& train,
                                std::span<const std::int64_t> training_class_counts);

// Local: with these weights, flat, [network.total_size()], instead; `taken_statistics` among them
// are of a file.
Replica begun_with(Replica first, std::vector<float> values,
                   std::set<std::string> taken_statistics = {});

// How far the moving average goes to the weights in update `update` (from 1): 1 - d_t.
float average_part(float ema_decay, std::int64_t update);

class Stepper {
 public:
  virtual ~Stepper() = default;

  // Collective: step `step` of `epoch`, both from 0, at `learning_rate`. Leaves the
  // weights alone when a gradient is not finite (sum.square_norm tells).
  virtual StepSum step(int epoch, std::int64_t step, float learning_rate) = 0;

  // Local, below. The replica after the last step; valid until the next. It may be far
  // away: not for every step.
  virtual const Replica& replica() = 0;
  // Of the replica.
  virtual std::int64_t updates() const = 0;
  // Goes on from there.
  virtual void set_replica(Replica replica) = 0;

  // The threads that compute lanes here.
  virtual int workers() const = 0;

  // See step_runner.h.
  virtual void raise(Flag flag) = 0;
  virtual void lower(Flag flag) = 0;
  virtual NonFinite find_non_finite() = 0;
  virtual StepTimes take_times() = 0;
};

}  // namespace lockstep
