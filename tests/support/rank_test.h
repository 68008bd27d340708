// For tests that run on several ranks: one GoogleTest program a rank, in step.
#pragma once

#include "lockstep/comm/communicator.h"

namespace lockstep {

// The world of this test program; Self where it was started without mpiexec.
Communicator& test_comm();

}  // namespace lockstep
