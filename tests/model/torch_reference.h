// A model in LibTorch, in double, with its autograd: what the executor's fused ops and their
// gradients must agree with.
#pragma once

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/from_blob.h>

#include <map>
#include <string>
#include <utility>

#include "lockstep/model/network.h"
#include "model/torch_network.h"

namespace lockstep::samples {

class TorchReference {
 public:
  // `values` are the flat weights of `network`, which was made of `model`; what it freezes has no
  // gradient.
  TorchReference(ModelOptions model, const Network& network, std::span<const float> values)
      : model_(std::move(model)), network_(network) {
    for (const Parameter& parameter : network.parameters()) {
      auto* data = const_cast<float*>(values.data() + parameter.range.first);
      at::Tensor tensor = at::from_blob(data, parameter.shape, at::kFloat).to(at::kDouble).clone();
      const bool running = parameter.name.find(".running_") != std::string::npos;
      parameters_[parameter.name] = tensor.requires_grad_(!running && !parameter.frozen);
    }
  }

  // Logits [samples, classes]; when training, running statistics become the batch's.
  at::Tensor logits(const Batch& batch, const LaneContext& context, Phase phase) {
    const TorchPass pass{parameters_, batch, context, phase};
    const ImageShape& shape = network_.input();
    at::Tensor x =
        at::from_blob(const_cast<float*>(batch.images.data()),
                      {batch.size, shape.height, shape.width, shape.channels}, at::kFloat)
            .to(at::kDouble)
            .permute({0, 3, 1, 2});
    return TorchLayers(pass).run_all(model_.layers, "", x).flatten(1);
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
  ModelOptions model_;
  const Network& network_;
  std::map<std::string, at::Tensor> parameters_;
};

}  // namespace lockstep::samples
