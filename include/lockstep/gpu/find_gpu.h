// Gives every rank the GPU of its place on its node.
#pragma once

#include <memory>
#include <string>

#include "lockstep/comm/communicator.h"
#include "lockstep/gpu/accelerator.h"
#include "lockstep/gpu/plugin.h"

namespace lockstep {

// Null without a GPU for every rank; `reason` then says in words why, and where others
// have one, which rank lacks it.
struct FoundGpu {
  std::unique_ptr<Accelerator> gpu;
  std::string reason;
};

// Collective. A rank takes GPU number (its place on the node) modulo (how many it sees),
// so that it does not matter whether the job's manager shows each rank all GPUs of the
// node or one. Errors (2, agreed): two ranks have one GPU, unless LOCKSTEP_SHARE_GPU is
// set in the environment (for tests); GPUs of several names, which would not give the
// same bits.
FoundGpu find_gpu(Communicator& comm);

// Collective: the same with this rank's plugin; null, with its reason, where there is none.
FoundGpu find_gpu(Communicator& comm, const GpuPlugin* plugin, const std::string& reason);

}  // namespace lockstep
