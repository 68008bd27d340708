// What the library for NVIDIA's GPUs, liblockstep-cuda.so, gives the program that loads
// it: a table under one C name, so that nothing links to it.
#pragma once

#include <string>

#include "lockstep/gpu/accelerator.h"

namespace lockstep {

struct GpuPlugin {
  // Local: the GPUs that this process may use; 0 with a reason in words.
  int (*count)(std::string& reason);
  // Local: what tells a GPU from all others, whatever number it goes by.
  std::string (*identity)(int index);
  // Local: takes the GPU; the caller owns it. Throws Error (1) where that fails.
  Accelerator* (*open)(int index);
};

inline constexpr const char* kGpuPluginSymbol = "lockstep_gpu_plugin";

}  // namespace lockstep
