// An NVIDIA GPU. See gpu/accelerator.h.
#pragma once

#include <memory>

#include "lockstep/gpu/accelerator.h"

namespace lockstep {

// Takes the GPU for this process; its streams become the calling thread's current ones.
// Error (1) where that fails.
std::unique_ptr<Accelerator> open_cuda_accelerator(int index);

}  // namespace lockstep
