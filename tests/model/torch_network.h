// The layers of a model one by one in LibTorch, in double.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lockstep/model/lane_executor.h"
#include "lockstep/model/options.h"
#include "model/torch_layers.h"

namespace lockstep::samples {

class TorchLayers {
 public:
  explicit TorchLayers(const TorchPass& pass) : pass_(pass) {}

  // The layers after one another; `before` begins their parameters' names.
  at::Tensor run_all(const std::vector<LayerOptions>& layers, const std::string& before,
                     at::Tensor x) {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      x = std::visit(
          [&](const auto& layer) {
            path_ = fmt::format("{}{}.{}", before, i, layer.kName);
            index_ = i;
            depth_ = before.empty() ? 0 : 1;
            return run(layer, x);
          },
          layers[i]);
    }
    return x;
  }

 private:
  const at::Tensor& mine(const char* role) const {
    return pass_.parameters.at(fmt::format("{}.{}", path_, role));
  }
  std::optional<at::Tensor> bias(bool has) const {
    return has ? std::optional(mine("bias")) : std::nullopt;
  }

  at::Tensor run(const ConvOptions& conv, const at::Tensor& x) const {
    return activate(conv.activation,
                    at::conv2d(padded(conv, x), mine("weight").permute({0, 3, 1, 2}),
                               bias(conv.bias), {conv.stride, conv.stride}, at::IntArrayRef({0, 0}),
                               {conv.dilation, conv.dilation}, conv.groups));
  }

  at::Tensor run(const DenseOptions& dense, const at::Tensor& x) const {
    const at::Tensor y = at::linear(x.flatten(1), mine("weight"), bias(dense.bias));
    return activate(dense.activation, y.unsqueeze(2).unsqueeze(3));
  }

  at::Tensor run(const LogitsOptions& logits, const at::Tensor& x) const {
    return at::linear(x.flatten(1), mine("weight"), bias(logits.bias)).unsqueeze(2).unsqueeze(3);
  }

  // With a momentum of 1 the running statistics become the batch's own; one that is frozen uses
  // what it has.
  at::Tensor run(const BatchNormOptions& norm, const at::Tensor& x) const {
    const bool trained = mine("scale").requires_grad() || mine("shift").requires_grad();
    return at::batch_norm(x, mine("scale"), mine("shift"), mine("running_mean"),
                          mine("running_variance"), trained && pass_.phase == Phase::kTrain,
                          /*momentum=*/1.0, static_cast<double>(norm.epsilon), false);
  }

  at::Tensor run(const GroupNormOptions& norm, const at::Tensor& x) const {
    return at::group_norm(x, norm.groups, mine("scale"), mine("shift"),
                          static_cast<double>(norm.epsilon));
  }

  at::Tensor run(const LayerNormOptions& norm, const at::Tensor& x) const {
    return at::layer_norm(x.permute({0, 2, 3, 1}), {x.size(1)}, mine("scale"), mine("shift"),
                          static_cast<double>(norm.epsilon))
        .permute({0, 3, 1, 2});
  }

  at::Tensor run(const DropoutOptions& dropout, const at::Tensor& x) {
    if (pass_.phase == Phase::kInfer) return x;
    const auto layer =
        static_cast<std::uint32_t>(depth_ == 0 ? index_ : 65536 + nested_dropouts_++);
    return drop(dropout, layer, pass_.batch, pass_.context, x);
  }

  at::Tensor run(const MaxPoolOptions& max, const at::Tensor& x) const { return pool(max, x); }
  at::Tensor run(const AvgPoolOptions& avg, const at::Tensor& x) const { return pool(avg, x); }

  at::Tensor run(const FlattenOptions& /*flatten*/, const at::Tensor& x) const {
    return x.permute({0, 2, 3, 1}).flatten(1).unsqueeze(2).unsqueeze(3);
  }

  at::Tensor run(const ActivationOptions& activation, const at::Tensor& x) const {
    return activate(activation.kind, x);
  }

  at::Tensor run(const ResidualOptions& residual, const at::Tensor& x) {
    const std::string path = path_;
    at::Tensor y = run_all(residual.layers, path + ".", x);
    if (residual.drop_path > 0) {
      const auto layer = static_cast<std::uint32_t>(65536 + nested_dropouts_++);
      if (pass_.phase == Phase::kTrain) {
        const at::Tensor ones = at::ones({pass_.batch.size, 1, 1, 1}, at::kDouble);
        y = y.mul(drop({.rate = residual.drop_path}, layer, pass_.batch, pass_.context, ones));
      }
    }
    return activate(residual.activation,
                    y.add(run_all(residual.shortcut.layers, path + ".shortcut.", x)));
  }

  at::Tensor run(const BranchesOptions& branches, const at::Tensor& x) {
    const std::string path = path_;
    std::vector<at::Tensor> outputs;
    for (std::size_t i = 0; i < branches.branches.size(); ++i) {
      outputs.push_back(run_all(branches.branches[i].layers, fmt::format("{}.{}.", path, i), x));
    }
    return at::cat(outputs, 1);
  }

  at::Tensor run(const GateOptions& gate, const at::Tensor& x) {
    return x.mul(run_all(gate.layers, path_ + ".", x));
  }

  at::Tensor run(const RepeatOptions& repeat, at::Tensor x) {
    const std::string path = path_;
    for (int round = 0; round < repeat.times; ++round) {
      x = run_all(repeat.layers, fmt::format("{}.{}.", path, round), x);
    }
    return x;
  }

  const TorchPass& pass_;
  std::string path_;  // of the layer under way
  std::size_t index_ = 0;
  int depth_ = 0;
  std::size_t nested_dropouts_ = 0;
};

}  // namespace lockstep::samples
