#include "lockstep/model/network.h"

#include <algorithm>
#include <cmath>

#include "lockstep/core/error.h"
#include "lockstep/model/op.h"
#include "model/network_builder.h"

namespace lockstep {

Network::Network(const ModelOptions& options, const ImageShape& input, int classes)
    : input_(input), classes_(classes) {
  NetworkBuilder(*this).build(options);
}

Network::~Network() = default;
Network::Network(Network&&) noexcept = default;

std::int64_t Network::parameter_count() const {
  std::int64_t count = 0;
  for (const LayerInfo& layer : layers_) count += layer.parameters;
  return count;
}

std::int64_t Network::trainable_parameter_count() const {
  std::int64_t count = 0;
  for (const LayerInfo& layer : layers_) count += layer.trainable_parameters;
  return count;
}

void Network::update_statistics(std::span<float> weights, std::span<const float> sums,
                                float samples, std::int64_t update) const {
  const float newest = 1 - 1 / static_cast<float>(update);
  for (const Op& op : ops_) {
    const auto* norm = std::get_if<NormOp>(&op.work);
    if (norm == nullptr) continue;
    const float momentum = std::min(norm->momentum, newest);
    for (const Range range : {norm->running_mean, norm->running_variance}) {
      for (std::int64_t i = range.first; i < range.last; ++i) {
        float& running = weights[static_cast<std::size_t>(i)];
        const float batch = sums[static_cast<std::size_t>(i - trainable_size_)] / samples;
        running = momentum * running + (1 - momentum) * batch;
      }
    }
  }
}

}  // namespace lockstep
