// Activations, by LibTorch.

#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/hardswish_backward.h>
#include <ATen/ops/hardtanh.h>
#include <ATen/ops/hardtanh_backward.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/leaky_relu_backward.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/sigmoid_backward.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tanh_backward.h>
#include <ATen/ops/threshold_backward.h>

#include <utility>

#include "model/torch_runner.h"

namespace lockstep {

template <>
class TorchRunner<ActivateOp> final : public UnaryRunner {
 public:
  TorchRunner(const ActivateOp& activate, const OpContext& /*context*/) : kind_(activate.kind) {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    at::Tensor y = activated(x);
    const bool keeps_output = kind_ == ActivationKind::kTanh || kind_ == ActivationKind::kSigmoid;
    if (pass.keeps()) saved_ = keeps_output ? y : std::move(x);
    return y;
  }

  at::Tensor backward(const Pass& /*pass*/, at::Tensor dy) override {
    const at::Tensor saved = std::move(saved_);
    switch (kind_) {
      case ActivationKind::kLeakyRelu:
        return at::leaky_relu_backward(dy, saved, kLeakyReluSlope, /*self_is_result=*/false);
      case ActivationKind::kGelu:
        return at::gelu_backward(dy, saved);
      case ActivationKind::kSilu:
        return at::silu_backward(dy, saved);
      case ActivationKind::kTanh:
        return at::tanh_backward(dy, saved);
      case ActivationKind::kSigmoid:
        return at::sigmoid_backward(dy, saved);
      case ActivationKind::kHardSwish:
        return at::hardswish_backward(dy, saved);
      case ActivationKind::kRelu6:
        return at::hardtanh_backward(dy, saved, 0, kRelu6Limit);
      case ActivationKind::kRelu:
        return at::threshold_backward(dy, saved, 0);
      case ActivationKind::kNone:
        break;
    }
    return dy;
  }

 private:
  at::Tensor activated(const at::Tensor& x) const {
    switch (kind_) {
      case ActivationKind::kLeakyRelu:
        return at::leaky_relu(x, kLeakyReluSlope);
      case ActivationKind::kGelu:
        return at::gelu(x);
      case ActivationKind::kSilu:
        return at::silu(x);
      case ActivationKind::kTanh:
        return at::tanh(x);
      case ActivationKind::kSigmoid:
        return at::sigmoid(x);
      case ActivationKind::kHardSwish:
        return at::hardswish(x);
      case ActivationKind::kRelu6:
        return at::hardtanh(x, 0, kRelu6Limit);
      case ActivationKind::kRelu:
        return at::relu(x);
      case ActivationKind::kNone:
        break;
    }
    return x;
  }

  ActivationKind kind_;
  at::Tensor saved_;  // what the backward formula needs: input, or output
};

template std::unique_ptr<OpRunner> make_torch_runner(const ActivateOp&, const OpContext&);

}  // namespace lockstep
