// How a lane's flat buffer is cut into buckets, which are summed one after the other while the
// backward pass still writes the rest. Local.
#pragma once

#include <cstdint>
#include <vector>

#include "lockstep/core/share.h"
#include "lockstep/model/network.h"
#include "lockstep/parallel/options.h"

namespace lockstep {

struct Buckets {
  // Of the `size` floats of a lane, as they are written: the gradients, those of the last
  // parameters first, then what is only known after the pass. One alone where the
  // least of a bucket, is 0 or that many are not there twice; and gradients travel as the rest.
  Buckets(const Network& network, const ParallelOptions& options, std::int64_t size);

  std::vector<Range> elements;
  // By op of the network's plan: how many of them are written when its backward pass is done.
  std::vector<int> written;
};

}  // namespace lockstep
