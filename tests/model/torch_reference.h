// The layers of a model one by one in LibTorch, in double, with its autograd: what the
// executor's fused ops and their gradients must agree with.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/mean.h>
#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lockstep/model/lane_executor.h"
#include "lockstep/model/network.h"
#include "lockstep/model/options.h"
#include "model/torch_layers.h"

namespace lockstep::samples {

enum class Phase { kTrain, kInfer };

class TorchReference {
 public:
  // `values` are the flat weights of `network`, which was made of `model`.
  TorchReference(ModelOptions model, const Network& network, std::span<const float> values)
      : model_(std::move(model)), network_(network) {
    for (const Parameter& parameter : network.parameters()) {
      auto* data = const_cast<float*>(values.data() + parameter.range.first);
      at::Tensor tensor = at::from_blob(data, parameter.shape, at::kFloat).to(at::kDouble).clone();
      const bool running = parameter.name.find(".running_") != std::string::npos;
      parameters_[parameter.name] = tensor.requires_grad_(!running);
    }
  }

  // Logits [samples, classes]; when training, running statistics become the batch's.
  at::Tensor logits(const Batch& batch, const LaneContext& context, Phase phase) {
    batch_ = &batch;
    context_ = context;
    phase_ = phase;
    const ImageShape& shape = network_.input();
    at::Tensor x =
        at::from_blob(const_cast<float*>(batch.images.data()),
                      {batch.size, shape.height, shape.width, shape.channels}, at::kFloat)
            .to(at::kDouble)
            .permute({0, 3, 1, 2});
    for (index_ = 0; index_ < model_.layers.size(); ++index_) {
      x = std::visit([&](const auto& layer) { return run(layer, x); }, model_.layers[index_]);
    }
    return x.flatten(1);
  }

  // The summed loss; gradients of all parameters are ready after.
  double train(const Batch& batch, const LaneContext& context) {
    const at::Tensor labels =
        at::from_blob(const_cast<std::int32_t*>(batch.labels.data()), {batch.size}, at::kInt)
            .to(at::kLong);
    const at::Tensor loss =
        at::cross_entropy_loss(logits(batch, context, Phase::kTrain), labels, {},
                               at::Reduction::Sum, -100, context.label_smoothing);
    loss.backward();
    return loss.item<double>();
  }

  const at::Tensor& parameter(const std::string& name) const { return parameters_.at(name); }
  at::Tensor gradient(const std::string& name) const { return parameter(name).grad(); }

 private:
  const at::Tensor& mine(const char* kind, const char* role) const {
    return parameters_.at(fmt::format("{}.{}.{}", index_, kind, role));
  }
  std::optional<at::Tensor> bias(const char* kind, bool has) const {
    return has ? std::optional(mine(kind, "bias")) : std::nullopt;
  }

  at::Tensor run(const ConvOptions& conv, const at::Tensor& x) const {
    return activate(conv.activation,
                    at::conv2d(pad_same(conv, x), mine("conv", "weight").permute({0, 3, 1, 2}),
                               bias("conv", conv.bias), {conv.stride, conv.stride}));
  }

  at::Tensor run(const DenseOptions& dense, const at::Tensor& x) const {
    const at::Tensor y =
        at::linear(x.flatten(1), mine("dense", "weight"), bias("dense", dense.bias));
    return activate(dense.activation, y.unsqueeze(2).unsqueeze(3));
  }

  // With a momentum of 1 the running statistics become the batch's own.
  at::Tensor run(const BatchNormOptions& norm, const at::Tensor& x) const {
    return at::batch_norm(x, mine("batch_norm", "scale"), mine("batch_norm", "shift"),
                          mine("batch_norm", "running_mean"),
                          mine("batch_norm", "running_variance"), phase_ == Phase::kTrain,
                          /*momentum=*/1.0, static_cast<double>(norm.epsilon), false);
  }

  at::Tensor run(const DropoutOptions& dropout, const at::Tensor& x) const {
    if (phase_ == Phase::kInfer) return x;
    return drop(dropout, static_cast<std::uint32_t>(index_), *batch_, context_, x);
  }

  at::Tensor run(const MaxPoolOptions& pool, const at::Tensor& x) const {
    if (pool.global) return at::amax(x, {2, 3}, /*keepdim=*/true);
    const std::int64_t stride = pool.stride == 0 ? pool.size : pool.stride;
    return at::max_pool2d(x, {pool.size, pool.size}, {stride, stride});
  }

  at::Tensor run(const AvgPoolOptions& pool, const at::Tensor& x) const {
    if (pool.global) return at::mean(x, {2, 3}, /*keepdim=*/true);
    const std::int64_t stride = pool.stride == 0 ? pool.size : pool.stride;
    return at::avg_pool2d(x, {pool.size, pool.size}, {stride, stride});
  }

  at::Tensor run(const FlattenOptions& /*flatten*/, const at::Tensor& x) const {
    return x.permute({0, 2, 3, 1}).flatten(1).unsqueeze(2).unsqueeze(3);
  }

  at::Tensor run(const ActivationOptions& activation, const at::Tensor& x) const {
    return activate(activation.kind, x);
  }

  ModelOptions model_;
  const Network& network_;
  std::map<std::string, at::Tensor> parameters_;
  // Of the pass under way:
  const Batch* batch_ = nullptr;
  LaneContext context_;
  Phase phase_ = Phase::kTrain;
  std::size_t index_ = 0;
};

}  // namespace lockstep::samples
