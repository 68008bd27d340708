// Measures what the prediction of step times needs, on this machine.
#pragma once

#include <cstdint>
#include <vector>

#include "lockstep/comm/communicator.h"
#include "lockstep/config/experiment.h"
#include "lockstep/model/network.h"
#include "lockstep/plan/prediction.h"

namespace lockstep {

// Local, `comm` is a world of one. Times of one thread while `workers` of them work:
// passes of `samples` (ascending, none above the training rows), in rounds one after the
// other, of which the median counts.
MeasuredTimes measure_times(Communicator& comm, const Experiment& experiment,
                            const Network& network, const std::vector<std::int64_t>& samples,
                            int workers);

// A checkpoint of the experiment's run state: its size, and the time to write it to the
// disk that holds run folders.
struct CheckpointCost {
  double bytes = 0;
  double seconds = 0;
};
CheckpointCost measure_checkpoint(const Experiment& experiment, const Network& network);

}  // namespace lockstep
