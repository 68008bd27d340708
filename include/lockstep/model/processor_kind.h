// What of this processor decides the bits of a result. Local; any thread.
#pragma once

#include <string>

namespace lockstep {

// The instruction sets by which this program's kernels, LibTorch's and oneDNN's are
// chosen, and the limits that the environment sets to them. Ranks with different kinds
// may get different bits from the same arithmetic. With LOCKSTEP_MAX_ISA=AVX2 and the same limits
// for LibTorch and oneDNN, processors that have more are of one kind with those that do not.
std::string processor_kind();

}  // namespace lockstep
