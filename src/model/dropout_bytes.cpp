#include "model/dropout_bytes.h"

#include "lockstep/model/plan.h"
#include "model/kernels.h"

namespace lockstep {

const std::uint8_t* DropoutBytes::draw(const LaneContext& context, std::uint32_t layer,
                                       const Batch& batch, std::int64_t elements) {
  const PhiloxKey stream = dropout_stream(context.seed, layer, context.epoch);
  // A sample's bytes are written in whole groups; the next sample's overwrite the
  // excess, the last one's falls into the room behind.
  const std::int64_t needed = elements * (batch.size - 1) + random_bytes_room(elements);
  if (static_cast<std::int64_t>(bytes_.size()) < needed) {
    bytes_.resize(static_cast<std::size_t>(needed));
  }
  for (int n = 0; n < batch.size; ++n) {
    kernels().random_bytes(stream.data(), batch.rows[static_cast<std::size_t>(n)], elements,
                           bytes_.data() + n * elements);
  }
  return bytes_.data();
}

}  // namespace lockstep
