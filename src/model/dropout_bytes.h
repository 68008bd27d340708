// The random bytes behind dropout masks: pure functions of (seed, epoch, layer,
// row, element).
#pragma once

#include <cstdint>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/model/lane_executor.h"

namespace lockstep {

class DropoutBytes {
 public:
  // Bytes [batch.size, elements] for the dropout layer `layer`; valid until the
  // next call.
  const std::uint8_t* draw(const LaneContext& context, std::uint32_t layer, const Batch& batch,
                           std::int64_t elements);

 private:
  std::vector<std::uint8_t> bytes_;
};

}  // namespace lockstep
