// The accelerator that the tests of the gpu room use: the host's, or with
// LOCKSTEP_TEST_DEVICE=cuda this rank's GPU.
#pragma once

#include "lockstep/gpu/accelerator.h"

namespace lockstep {

//
// Collective, the first time; every test of a program uses the same.
Accelerator& test_accelerator();

}  // namespace lockstep
