// Steps on a GPU: the rows of this rank's lanes stay in its memory, or are copied there behind the
// steps before (row_residence.h), and the whole step, lanes side by side, their sum and the
// update, is one recording that is replayed. The host draws which samples come next while the GPU
// computes.
//
// Results are equal bit for bit at any number of GPUs of one name; those of the CPU
// differ in rounding. One a rank; every rank of the world has one.
#pragma once

#include <cstdint>
#include <memory>

#include "lockstep/comm/communicator.h"
#include "lockstep/data/training_data.h"
#include "lockstep/gpu/accelerator.h"
#include "lockstep/model/network.h"
#include "lockstep/parallel/options.h"
#include "lockstep/train/options.h"
#include "lockstep/train/stepper.h"

namespace lockstep {

class GpuStepper final : public Stepper {
 public:
  // Collective. Begins with the initial weights of `seed`. References must outlive it.
  GpuStepper(Accelerator& accelerator, Communicator& comm, const Network& network,
             const TrainingData& data, const ParallelOptions& parallel, const TrainOptions& train,
             std::uint64_t seed);
  ~GpuStepper() override;

  StepSum step(int epoch, std::int64_t step, float learning_rate) override;
  const Replica& replica() override;
  std::int64_t updates() const override;
  void set_replica(Replica replica) override;
  int workers() const override { return 1; }
  void raise(Flag flag) override;
  void lower(Flag flag) override;
  NonFinite find_non_finite() override;
  // Of these, `data` is the host's work before a step, `backward` the rest of the step.
  StepTimes take_times() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
