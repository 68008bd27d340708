// Softmax cross entropy.
#pragma once

#include <cstdint>
#include <span>

#include "lockstep/model/lane_executor.h"

namespace lockstep {

// `logits` [samples, classes], `labels` [samples]; see formula::cross_entropy. Writes the
// gradient of the summed loss, [samples, classes].
LaneResult cross_entropy(std::span<const float> logits, std::span<const std::int32_t> labels,
                         float label_smoothing, std::span<float> gradient);

}  // namespace lockstep
