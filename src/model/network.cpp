#include "lockstep/model/network.h"

#include <algorithm>
#include <cmath>

#include "model/fuse.h"
#include "model/lower.h"

namespace lockstep {

Network::Network(const ModelOptions& options, const ImageShape& input, int classes)
    : graph_(lower(options, input, classes)),
      plan_(fuse(graph_)),
      trainable_size_(graph_.trainable_size()),
      total_size_(graph_.total_size()) {}

std::int64_t Network::parameter_count() const {
  std::int64_t count = 0;
  for (const LayerInfo& layer : layers()) count += layer.parameters;
  return count;
}

std::int64_t Network::trainable_parameter_count() const {
  std::int64_t count = 0;
  for (const LayerInfo& layer : layers()) count += layer.trainable_parameters;
  return count;
}

void Network::update_statistics(std::span<float> weights, std::span<const float> sums,
                                float samples, std::int64_t update) const {
  const float newest = 1 - 1 / static_cast<float>(update);
  for (const Parameter& parameter : parameters()) {
    if (!is_statistic(parameter.role)) continue;
    const float momentum = std::min(parameter.momentum, newest);
    for (std::int64_t i = parameter.range.first; i < parameter.range.last; ++i) {
      float& running = weights[static_cast<std::size_t>(i)];
      const float batch = sums[static_cast<std::size_t>(i - trainable_size_)] / samples;
      running = momentum * running + (1 - momentum) * batch;
    }
  }
}

}  // namespace lockstep
