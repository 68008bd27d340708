// Steps on the cores of the CPU: lanes on workers, then every worker's share of the update.
#pragma once

#include <barrier>
#include <cstdint>
#include <utility>

#include "lockstep/comm/communicator.h"
#include "lockstep/core/workers.h"
#include "lockstep/data/training_data.h"
#include "lockstep/model/network.h"
#include "lockstep/parallel/options.h"
#include "lockstep/train/options.h"
#include "lockstep/train/stepper.h"

namespace lockstep {

class CpuStepper final : public Stepper {
 public:
  // Collective. Begins with the initial weights of `seed`. References must outlive it.
  CpuStepper(Communicator& comm, const Network& network, const TrainingData& data, Workers& workers,
             const ParallelOptions& parallel, const TrainOptions& train, std::uint64_t seed);

  StepSum step(int epoch, std::int64_t step, float learning_rate) override;
  const Replica& replica() override { return replica_; }
  std::int64_t updates() const override { return replica_.updates; }
  void set_replica(Replica replica) override { replica_ = std::move(replica); }
  int workers() const override { return workers_.count(); }
  void raise(Flag flag) override { runner_.raise(flag); }
  void lower(Flag flag) override { runner_.lower(flag); }
  NonFinite find_non_finite() override { return runner_.find_non_finite(); }
  StepTimes take_times() override { return runner_.take_times(); }

  // The weights in place; for tests, which spoil them.
  Weights& weights() { return replica_.weights; }

 private:
  void update(const StepSum& sum, int worker, float learning_rate);
  void prepare_update(const StepSum& sum, int worker, const UpdateRule& rule);
  void update_average(Range range, std::int64_t update);

  const Network& network_;
  const TrainingData& data_;
  Workers& workers_;
  int global_batch_;
  float clip_norm_;
  float ema_decay_;
  Replica replica_;
  StepRunner runner_;
  // Where workers wait for what an optimizer prepares; the last one finishes it.
  struct Finish {
    Optimizer* optimizer;
    void operator()() noexcept { optimizer->finish_preparation(); }
  };
  std::barrier<Finish> prepared_;
};

}  // namespace lockstep
