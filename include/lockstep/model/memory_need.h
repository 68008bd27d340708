// How much memory the passes of a lane take, from the network's layout: what the
// LaneExecutors of a thread, its reused blocks and its buffers hold after many passes. Local, any
// thread.
//
// A block of freed memory serves tensors of its own size alone, and of free ones a thread keeps a
// limited amount; so that the passes' tensors are taken and given back in numbers as PlanRunner and
// the runners do it. Beside them stand the images (4 bytes a value), a byte for each output of a
// pooling or relu and for each value dropped or not, and what convolutions put in another order.
#pragma once

#include <cstdint>

#include "lockstep/model/network.h"
#include "lockstep/model/options.h"

namespace lockstep {

// Bytes of a thread that makes passes of both kinds in turn; of 0 samples: none of that kind.
std::int64_t passes_bytes(const Network& network, Precision precision,
                          std::int64_t training_samples, std::int64_t inference_samples);

}  // namespace lockstep
