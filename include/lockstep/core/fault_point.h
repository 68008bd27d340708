// Moments at which a test can hold a process, so that it need not hit them by chance.
#pragma once

#include <cstdint>
#include <string_view>

namespace lockstep {

// Local: from now on the environment's LOCKSTEP_HOLD counts; `rank` is this process's. It is
// one or more of POINT:NUMBER:RANK:PIPE, with commas between; NUMBER may be *. A malformed
// one is an Error (kUsage).
void arm_fault_points(int rank);

// Local, any thread: where LOCKSTEP_HOLD names this point, number and rank, this thread waits
// until the named pipe is read, writes the process's id there as a line and stops the process,
// as by SIGSTOP, until SIGCONT; once for each that LOCKSTEP_HOLD names. Otherwise nothing.
// The points are "connected" (number 0), "step", "evaluation", "save" (all files of a checkpoint
// are written, it has not its name yet) and "report", with the steps done as number.
void fault_point(std::string_view point, std::int64_t number);

}  // namespace lockstep
