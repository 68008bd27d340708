// How a step is shared out: the part of the training section that the ranks and
// workers see. Plain values, the only home of their defaults.
#pragma once

#include "lockstep/model/options.h"

namespace lockstep {

// How gradients are summed over lanes.
enum class Reduction {
  kOrdered,  // one fixed tree over lanes: equal bits at every world size
  kNative,   // the transport's own all-reduce: bits depend on the world size
};

// What gradients are while they are summed: each lane's and each partial sum rounded to that, so
// that the result is one wherever they travel.
enum class Wire { kFp32, kBf16 };

struct ParallelOptions {
  int global_batch = 128;
  int lanes = 4;
  Precision precision = Precision::kFp32;
  Reduction reduction = Reduction::kOrdered;
  int digest_every_steps = 100;  // compare replicas so often; 0: at epochs only
  // Gradients that travel between nodes together, at least; 0: all, after the backward pass.
  int bucket_bytes = 1 << 17;
  Wire wire = Wire::kFp32;
};

}  // namespace lockstep
