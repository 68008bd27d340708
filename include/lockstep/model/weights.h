// A rank's replica of the weights: the fp32 master copy and, for bf16 runs, its
// rounded copy, which the workers read. Owned by the training loop; written
// between steps only, disjoint ranges by any threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/core/digest.h"
#include "lockstep/core/share.h"
#include "lockstep/model/network.h"
#include "lockstep/model/options.h"

namespace lockstep {

class Weights {
 public:
  Weights(std::vector<float> values, Precision precision);

  Precision precision() const { return precision_; }
  std::span<const float> values() const { return values_; }
  std::span<float> values() { return values_; }
  // The upper halves of the values' bits after rounding to nearest even; empty
  // for fp32.
  std::span<const std::uint16_t> rounded() const { return rounded_; }

  // Renews the rounded copy of `range` after its values changed.
  void round(Range range);

  // Of the parameters of `network` alone, in order, without gaps.
  Digest digest(const Network& network) const;

 private:
  Precision precision_;
  std::vector<float> values_;
  std::vector<std::uint16_t> rounded_;
};

}  // namespace lockstep
