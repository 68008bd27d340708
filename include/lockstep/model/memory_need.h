// How much memory the passes of a lane take, from the network's layout: what a
// LaneExecutor and its thread's reused blocks hold after many passes. Local, any thread.
//
// A block of freed memory serves tensors of its own size alone, so that a thread holds,
// for every size that tensors of a pass have, as many blocks as there are of them at
// once. Both kinds of pass hold the images (4 bytes a value), a byte for each output of a
// pooling or relu and for each value dropped or not, and one copy of the largest input and
// of the weights (4 bytes each), as convolutions rearrange them, and what the largest convolution
// by tiles turns (winograd_bytes). Beside these
//   training: every value that an op keeps for the backward pass, until the first op that
//     uses it is passed again, and the gradients from the last use of a value to its first;
//     neither of what stands before all that is trained;
//   inference: values until their last use.
#pragma once

#include <cstdint>

#include "lockstep/model/network.h"
#include "lockstep/model/options.h"

namespace lockstep {

// Bytes, for passes of `samples` samples.
std::int64_t training_pass_bytes(const Network& network, Precision precision, std::int64_t samples);
std::int64_t inference_pass_bytes(const Network& network, Precision precision,
                                  std::int64_t samples);

}  // namespace lockstep
