// The accelerator that the tests of the gpu room use: the host's, or with
// LOCKSTEP_TEST_DEVICE=cuda this rank's GPU.
#pragma once

#include "lockstep/gpu/accelerator.h"

namespace lockstep {

Accelerator& test_accelerator();

// Whether it is the host's: what rounds as the CPU does can be compared bit for bit.
bool test_accelerator_is_host();

}  // namespace lockstep
