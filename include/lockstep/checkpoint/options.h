// The checkpoint section of an experiment. Plain values, the only home of their
// defaults.
#pragma once

namespace lockstep {

struct CheckpointOptions {
  int every_steps = 0;       // save the run state so often; 0: at the end of epochs only
  double every_seconds = 0;  // and whenever this much time has passed; 0: never
  int keep_last = 2;         // run states kept, besides the best
};

}  // namespace lockstep
