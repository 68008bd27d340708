// How much memory the passes of a lane take, from the network's layout: what a
// LaneExecutor and its thread's reused blocks hold after many passes. Local, any thread.
//
// A block of freed memory serves tensors of its own size alone, so that a thread holds,
// for every size that tensors of a pass have, as many blocks as there are of them at
// once. With a(i) the bytes of the input of op i and e the bytes of a value:
//   training: the images (4 bytes a value), a(i) of every op that keeps its input for
//     the backward pass, a gradient of every size once, a byte for each output of a
//     pooling or relu, a byte for each value dropped or not, and one copy of the
//     largest input and of the weights, as convolutions rearrange them;
//   inference: the images, a tensor of every size and two of sizes that an op keeps,
//     the bytes of poolings, relus and dropouts, and the same copies.
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
