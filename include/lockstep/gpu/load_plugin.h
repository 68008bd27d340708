// Finds what this host's GPUs are driven with.
#pragma once

#include <string>

#include "lockstep/gpu/plugin.h"

namespace lockstep {

// Local: the library for NVIDIA's GPUs, loaded with LibTorch's parts for them and kept as
// long as the process lives; null with a reason in words where something is missing.
// Call it before LibTorch is asked about GPUs. On a host without a driver it loads nothing.
const GpuPlugin* load_gpu_plugin(std::string& reason);

}  // namespace lockstep
