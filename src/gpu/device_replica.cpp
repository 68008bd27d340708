#include "gpu/device_replica.h"

#include <ATen/ops/from_blob.h>

#include <algorithm>

#include "gpu/device.h"
#include "lockstep/train/orthogonal.h"

namespace lockstep {

namespace {

at::Tensor view(std::span<const float> values) {
  return at::from_blob(const_cast<float*>(values.data()),
                       {static_cast<std::int64_t>(values.size())}, at::kFloat);
}

float* data_or_null(const at::Tensor& values) {
  return values.defined() ? values.data_ptr<float>() : nullptr;
}

template <typename T>
std::span<const std::uint8_t> bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(T)};
}

template <typename T>
T* data_as(const at::Tensor& bytes) {
  return bytes.defined() ? reinterpret_cast<T*>(bytes.data_ptr<std::uint8_t>()) : nullptr;
}

// For each running statistic that updates move, [network.statistics_size()].
template <typename Of>
std::vector<float> by_statistic(const Network& network, Of of) {
  std::vector<float> values(static_cast<std::size_t>(network.statistics_size()), 0.0F);
  for (const Parameter& parameter : network.parameters()) {
    if (!is_statistic(parameter.role) || parameter.frozen) continue;
    const auto first = values.begin() + (parameter.range.first - network.trainable_size());
    std::fill(first, first + parameter.range.size(), of(parameter));
  }
  return values;
}

}  // namespace

DeviceReplica::DeviceReplica(Accelerator& accelerator, const Network& network, const Replica& first,
                             const OptimizerOptions& options)
    : accelerator_(accelerator),
      network_(network),
      options_(options),
      parts_(first.optimizer.parts()),
      trainable_(network.trainable_size()),
      changing_(network.changing_size()) {
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
  momentum_.copy_(view(by_statistic(network, [](const Parameter& p) { return p.momentum; })));
  taken_ = zeros(network.statistics_size());
  const UpdateKind kind = update_kind(options);
  if (kind == UpdateKind::kMuon) direction_ = zeros(trainable_);
  if (has_trust_ratios(kind)) {
    blocks_ = ratio_blocks(parts_);
    squares_ = zeros(2 * static_cast<std::int64_t>(blocks_.size()), at::kDouble);
    ratios_ = zeros(static_cast<std::int64_t>(parts_.size()));
  }
  upload_parts();
  upload(first);
}

void DeviceReplica::upload_parts() {
  std::vector<gpu::Part> parts;
  for (const UpdatePart& each : parts_) {
    const bool matrix = each.as == UpdatePart::As::kMatrix;
    parts.push_back({.last = each.range.last,
                     .rate_factor = each.rate_factor,
                     .decay = each.decay,
                     .scale = matrix ? muon_scale(each) : 0,
                     .adapted = each.as == UpdatePart::As::kAdapted,
                     .matrix = matrix,
                     .first_block = 0,
                     .last_block = 0});
  }
  std::vector<gpu::Block> blocks;
  for (const RatioBlock& each : blocks_) {
    gpu::Part& part = parts[each.part];
    if (part.last_block == 0) part.first_block = static_cast<int>(blocks.size());
    blocks.push_back({each.range.first, each.range.last, static_cast<int>(each.part)});
    part.last_block = static_cast<int>(blocks.size());
  }
  device_parts_ = to_device<std::uint8_t>(accelerator_, bytes_of(parts), at::kByte);
  if (blocks.empty()) return;
  device_blocks_ = to_device<std::uint8_t>(accelerator_, bytes_of(blocks), at::kByte);
}

void DeviceReplica::upload(const Replica& replica) {
  weights_.copy_(view(replica.weights.values()));
  if (rounded_.defined()) rounded_.copy_(weights_);
  if (average_.defined()) average_.copy_(view(replica.average));
  taken_.copy_(view(by_statistic(network_, [&](const Parameter& parameter) {
    return replica.taken_statistics.contains(parameter.name) ? 1.0F : 0.0F;
  })));
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

gpu::Update DeviceReplica::arguments() const {
  gpu::Update update{};
  update.momentum = momentum_.const_data_ptr<float>();
  update.taken = taken_.const_data_ptr<float>();
  update.weights = weights_.data_ptr<float>();
  update.rounded = const_cast<std::uint16_t*>(rounded_weights().data());
  update.average = data_or_null(average_);
  update.first = first_.data_ptr<float>();
  update.second = data_or_null(second_);
  update.direction = data_or_null(direction_);
  update.parts = data_as<const gpu::Part>(device_parts_);
  update.blocks = data_as<const gpu::Block>(device_blocks_);
  update.squares = squares_.defined() ? squares_.data_ptr<double>() : nullptr;
  update.ratios = data_or_null(ratios_);
  update.trainable = trainable_;
  update.changing = changing_;
  update.part_count = static_cast<int>(parts_.size());
  update.kind = update_kind(options_);
  update.adam = adam_constants(options_);
  update.sgd = sgd_constants(options_);
  update.trust = trust_coefficient(options_);
  return update;
}

void DeviceReplica::move(const gpu::StepRule* rule, const gpu::StepFacts* facts, const float* sum) {
  gpu::Update update = arguments();
  update.rule = rule;
  update.facts = facts;
  update.sum = sum;
  if (!blocks_.empty()) {
    launch(accelerator_, gpu::kMeasureBlock,
           {static_cast<unsigned>(blocks_.size()), 1, kBlockThreads}, update);
    launch(accelerator_, gpu::kTrustRatio, {static_cast<unsigned>(parts_.size()), 1, kBlockThreads},
           update);
  }
  if (direction_.defined()) {
    launch(accelerator_, gpu::kMatrixDirections, grid_of(trainable_), update);
    for (const UpdatePart& part : parts_) {
      if (part.as != UpdatePart::As::kMatrix) continue;
      const at::Tensor matrix = direction_.narrow(0, part.range.first, part.rows * part.columns)
                                    .view({part.rows, part.columns});
      matrix.copy_(orthogonalized(matrix));
    }
  }
  launch(accelerator_, gpu::kUpdateWeights, grid_of(update.changing), update);
}

}  // namespace lockstep
