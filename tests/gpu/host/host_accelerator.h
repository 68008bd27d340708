// An accelerator that computes at once, on the host: what the rules of the gpu room are
// tested with where there is no GPU.
#pragma once

#include <memory>

#include "lockstep/gpu/accelerator.h"

namespace lockstep {

std::unique_ptr<Accelerator> make_host_accelerator();

}  // namespace lockstep
