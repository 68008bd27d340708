// Loads the library for NVIDIA's GPUs and what it needs, where there is a driver: a node
// without one pays for a look that finds nothing.
#pragma once

#include <string>

#include "lockstep/gpu/plugin.h"

namespace lockstep {

// Local: its table; null with a reason in words where this host has no GPUs to use.
const GpuPlugin* load_gpu_plugin(std::string& reason);

}  // namespace lockstep
