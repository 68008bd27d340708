// Whether the rows of a rank's lanes stay in its GPU's memory, or those of a step alone are there.
#pragma once

#include <cstdint>

#include "lockstep/gpu/accelerator.h"

namespace lockstep {

enum class RowResidence {
  kResident,  // all rows are in the GPU's memory
  kStreamed,  // those of the steps to come are copied there, behind the step under way
};

// Local: what `bytes` of rows can be now: resident where they take no more than
// LOCKSTEP_GPU_DATA_MEMORY bytes, or where that is not set, half of the GPU's free memory; the
// rest is for what a step computes. No result depends on it. Error (2): that variable is no whole
// number.
RowResidence residence_on(const Accelerator& accelerator, std::uint64_t bytes);

}  // namespace lockstep
