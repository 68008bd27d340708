#include "lockstep/model/network.h"

#include "lockstep/core/learning_formulas.h"
#include "model/freeze.h"
#include "model/fuse.h"
#include "model/lower.h"

namespace lockstep {

Network::Network(const ModelOptions& options, const ImageShape& input, int classes,
                 std::span<const std::string> patterns)
    : graph_(lower(options, input, classes)),
      plan_(fuse(graph_)),
      sizes_(freeze(graph_, patterns)) {}

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
                                float samples, std::int64_t update,
                                const std::set<std::string>& taken) const {
  const float limit_of_drawn = formula::statistics_limit(static_cast<float>(update));
  for (const Parameter& parameter : parameters()) {
    if (!is_statistic(parameter.role) || parameter.frozen) continue;
    const float limit = taken.contains(parameter.name) ? 1 : limit_of_drawn;
    for (std::int64_t i = parameter.range.first; i < parameter.range.last; ++i) {
      float& running = weights[static_cast<std::size_t>(i)];
      const float sum = sums[static_cast<std::size_t>(i - trainable_size())];
      running = formula::running_statistic(parameter.momentum, limit, running, sum, samples);
    }
  }
}

}  // namespace lockstep
