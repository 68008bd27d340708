// Where a run computes: the GPU of each rank, or its cores.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lockstep/comm/communicator.h"
#include "lockstep/config/experiment.h"
#include "lockstep/core/workers.h"
#include "lockstep/data/training_data.h"
#include "lockstep/eval/evaluator.h"
#include "lockstep/gpu/accelerator.h"
#include "lockstep/model/network.h"
#include "lockstep/train/stepper.h"

namespace lockstep {

struct ChosenDevice {
  std::unique_ptr<Accelerator> gpu;  // null: the CPU
  std::string why_no_gpu;            // where AUTO has taken the CPU

  // "CPU", or the GPU's model.
  std::string name() const { return gpu != nullptr ? gpu->name() : "CPU"; }
  // The same, with the reason, for the user.
  std::string note() const;

  // Collective: begins with the initial weights of the experiment's seed. The arguments
  // must outlive it.
  std::unique_ptr<Stepper> make_stepper(Communicator& comm, const Network& network,
                                        const TrainingData& data, Workers& workers,
                                        const Experiment& experiment) const;
  std::unique_ptr<Evaluator> make_evaluator(const Network& network, Workers& workers,
                                            const Normalization& normalization,
                                            const Experiment& experiment) const;
};

// Collective: AUTO takes GPUs where every rank has one. Error (2, agreed): CUDA without.
ChosenDevice choose_device(Communicator& comm, Device wanted);

}  // namespace lockstep
