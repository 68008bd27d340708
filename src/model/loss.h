// Softmax cross entropy.
#pragma once

#include <cstdint>
#include <span>

#include "lockstep/core/batch.h"
#include "lockstep/model/lane_executor.h"

namespace lockstep {

// `logits` [samples, classes], the labels of `batch`; see formula::cross_entropy. Writes the
// gradient of the summed loss, [samples, classes].
LaneResult cross_entropy(std::span<const float> logits, const Batch& batch,
                         const LaneContext& context, std::span<float> gradient);

}  // namespace lockstep
