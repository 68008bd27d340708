// The layers of a model one by one in LibTorch, in double, with its autograd: what the
// executor's fused ops and their gradients must agree with.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/tanh.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lockstep/core/philox.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/model/network.h"
#include "lockstep/model/options.h"

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

  static at::Tensor activate(ActivationKind kind, const at::Tensor& x) {
    switch (kind) {
      case ActivationKind::kRelu:
        return at::relu(x);
      case ActivationKind::kLeakyRelu:
        return at::leaky_relu(x, 0.01);
      case ActivationKind::kGelu:
        return at::gelu(x);
      case ActivationKind::kSilu:
        return at::silu(x);
      case ActivationKind::kTanh:
        return at::tanh(x);
      case ActivationKind::kSigmoid:
        return at::sigmoid(x);
      case ActivationKind::kNone:
        break;
    }
    return x;
  }

  at::Tensor run(const ConvOptions& conv, at::Tensor x) const {
    if (conv.padding == Padding::kSame) {
      const auto padding = [&](std::int64_t size) {
        const std::int64_t out = (size + conv.stride - 1) / conv.stride;
        return std::max<std::int64_t>((out - 1) * conv.stride + conv.kernel - size, 0);
      };
      const std::int64_t rows = padding(x.size(2));
      const std::int64_t columns = padding(x.size(3));
      x = at::constant_pad_nd(x, {columns / 2, columns - columns / 2, rows / 2, rows - rows / 2});
    }
    return activate(conv.activation,
                    at::conv2d(x, mine("conv", "weight").permute({0, 3, 1, 2}),
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

  // Element e (in the order of height, width, channels) of a sample is kept when its
  // byte is not below the rate in 256ths.
  at::Tensor run(const DropoutOptions& dropout, const at::Tensor& x) const {
    if (phase_ == Phase::kInfer) return x;
    const auto limit = static_cast<std::uint32_t>(std::lround(dropout.rate * 256));
    const auto layer = static_cast<std::uint32_t>(index_);
    const auto stream = philox(philox_key(context_.seed, Purpose::kDropout),
                               {layer, static_cast<std::uint32_t>(context_.epoch), 0, 0});
    at::Tensor mask = at::empty({x.size(0), x.size(2), x.size(3), x.size(1)}, at::kDouble);
    const std::int64_t elements = x[0].numel();
    double* to = mask.data_ptr<double>();
    for (const std::uint64_t row : batch_->rows) {
      for (std::int64_t e = 0; e < elements; ++e) {
        const auto block =
            philox({stream[0], stream[1]},
                   {static_cast<std::uint32_t>(16 * (e / 256) + e % 64 / 4),
                    static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(row >> 32), 0});
        const std::uint32_t word = block[static_cast<std::size_t>(e / 64 % 4)];
        const std::uint32_t byte = (word >> (8 * (e % 4))) & 0xFF;
        *to++ = byte < limit ? 0.0 : 256.0 / (256 - limit);
      }
    }
    return x.mul(mask.permute({0, 3, 1, 2}));
  }

  at::Tensor run(const MaxPoolOptions& pool, const at::Tensor& x) const {
    const std::int64_t stride = pool.stride == 0 ? pool.size : pool.stride;
    return at::max_pool2d(x, {pool.size, pool.size}, {stride, stride});
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
