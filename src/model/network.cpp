#include "lockstep/model/network.h"

#include "lockstep/core/learning_formulas.h"
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
  const float limit = formula::statistics_limit(static_cast<float>(update));
  for (const Op& op : ops_) {
    const auto* norm = std::get_if<NormOp>(&op.work);
    if (norm == nullptr) continue;
    for (const Range range : {norm->running_mean, norm->running_variance}) {
      for (std::int64_t i = range.first; i < range.last; ++i) {
        float& running = weights[static_cast<std::size_t>(i)];
        const float sum = sums[static_cast<std::size_t>(i - trainable_size_)];
        running = formula::running_statistic(norm->momentum, limit, running, sum, samples);
      }
    }
  }
}

}  // namespace lockstep
