#include "gpu/device_replica.h"

#include <ATen/ops/from_blob.h>

#include <algorithm>

#include "gpu/device.h"

namespace lockstep {

namespace {

at::Tensor view(std::span<const float> values) {
  return at::from_blob(const_cast<float*>(values.data()),
                       {static_cast<std::int64_t>(values.size())}, at::kFloat);
}

float* data_or_null(const at::Tensor& values) {
  return values.defined() ? values.data_ptr<float>() : nullptr;
}

// How much of its value each running statistic keeps in an update.
std::vector<float> momenta(const Network& network) {
  std::vector<float> momenta(static_cast<std::size_t>(network.statistics_size()), 1.0F);
  for (const Parameter& parameter : network.parameters()) {
    if (!is_statistic(parameter.role) || parameter.frozen) continue;
    const auto first = momenta.begin() + (parameter.range.first - network.trainable_size());
    std::fill(first, first + parameter.range.size(), parameter.momentum);
  }
  return momenta;
}

}  // namespace

DeviceReplica::DeviceReplica(const Accelerator& accelerator, const Network& network,
                             const Replica& first, const OptimizerOptions& options)
    : options_(options), trainable_(network.trainable_size()), changing_(network.changing_size()) {
  const auto zeros = [&](std::int64_t count, at::ScalarType type = at::kFloat) {
    return device_zeros(accelerator, count, type);
  };
  weights_ = zeros(network.total_size());
  if (first.weights.precision() == Precision::kBf16) {
    rounded_ = zeros(network.total_size(), at::kBFloat16);
  }
  if (!first.average.empty()) average_ = zeros(network.total_size());
  first_ = zeros(trainable_);
  if (first.optimizer.buffers().size() > 1) second_ = zeros(trainable_);
  momentum_ = zeros(network.statistics_size());
  momentum_.copy_(view(momenta(network)));
  upload(first);
}

void DeviceReplica::upload(const Replica& replica) {
  weights_.copy_(view(replica.weights.values()));
  if (rounded_.defined()) rounded_.copy_(weights_);
  if (average_.defined()) average_.copy_(view(replica.average));
  first_.copy_(view(replica.optimizer.buffers()[0].values));
  if (second_.defined()) second_.copy_(view(replica.optimizer.buffers()[1].values));
}

void DeviceReplica::download(Replica& replica) const {
  view(replica.weights.values()).copy_(weights_);
  replica.weights.round({0, trainable_});
  if (average_.defined()) view(replica.average).copy_(average_);
  view(replica.optimizer.buffers()[0].values).copy_(first_);
  if (second_.defined()) view(replica.optimizer.buffers()[1].values).copy_(second_);
}

std::span<const float> DeviceReplica::weights() const {
  return {weights_.data_ptr<float>(), static_cast<std::size_t>(weights_.numel())};
}

std::span<const std::uint16_t> DeviceReplica::rounded_weights() const {
  if (!rounded_.defined()) return {};
  return {reinterpret_cast<const std::uint16_t*>(rounded_.const_data_ptr<at::BFloat16>()),
          static_cast<std::size_t>(rounded_.numel())};
}

gpu::Update DeviceReplica::update() const {
  gpu::Update update{};
  update.momentum = momentum_.const_data_ptr<float>();
  update.weights = weights_.data_ptr<float>();
  update.rounded = const_cast<std::uint16_t*>(rounded_weights().data());
  update.average = data_or_null(average_);
  update.first = first_.data_ptr<float>();
  update.second = data_or_null(second_);
  update.trainable = trainable_;
  update.changing = changing_;
  update.adam = adam_constants(options_);
  update.sgd = sgd_constants(options_);
  return update;
}

}  // namespace lockstep
