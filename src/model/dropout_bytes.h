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

// Factor of the elements kept when `drop_of_256` of 256 are dropped.
inline float keep_scale(int drop_of_256) { return 256.0F / static_cast<float>(256 - drop_of_256); }

}  // namespace lockstep
