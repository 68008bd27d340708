#include "lockstep/model/weights.h"

#include <utility>

#include "model/kernels.h"

namespace lockstep {

Weights::Weights(std::vector<float> values, Precision precision)
    : precision_(precision), values_(std::move(values)) {
  if (precision_ == Precision::kBf16) {
    rounded_.resize(values_.size());
    round({0, static_cast<std::int64_t>(values_.size())});
  }
}

void Weights::round(Range range) {
  if (precision_ != Precision::kBf16) return;
  kernels().round_to_bf16(values_.data() + range.first, rounded_.data() + range.first,
                          range.size());
}

Digest Weights::digest(const Network& network) const {
  DigestStream stream;
  for (const Parameter& parameter : network.parameters()) {
    stream.add(std::as_bytes(
        std::span(values_).subspan(static_cast<std::size_t>(parameter.range.first),
                                   static_cast<std::size_t>(parameter.range.size()))));
  }
  return stream.digest();
}

}  // namespace lockstep
