// Compiles the kernels of src/gpu/kernels by NVRTC, for the GPU at hand.
#pragma once

#include <string>

#include "lockstep/model/options.h"

namespace lockstep {

// Machine code for GPUs of compute capability `major`.`minor`. Local. Error (1) with the
// compiler's first complaint, or where there is no NVRTC.
std::string compile_kernels(Precision precision, int major, int minor);

}  // namespace lockstep
