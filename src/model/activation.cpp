// Activations other than relu, by LibTorch.

#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/leaky_relu_backward.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/sigmoid_backward.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tanh_backward.h>

#include "lockstep/core/error.h"
#include "lockstep/model/op_runner.h"

namespace lockstep {

namespace {

constexpr double kLeakySlope = 0.01;

class Activation final : public OpRunner {
 public:
  explicit Activation(ActivationKind kind) : kind_(kind) {}

  at::Tensor forward(const Pass& /*pass*/, at::Tensor x) override {
    saved_ = x;
    switch (kind_) {
      case ActivationKind::kLeakyRelu:
        return at::leaky_relu(x, kLeakySlope);
      case ActivationKind::kGelu:
        return at::gelu(x);
      case ActivationKind::kSilu:
        return at::silu(x);
      case ActivationKind::kTanh:
        return saved_ = at::tanh(x);
      case ActivationKind::kSigmoid:
        return saved_ = at::sigmoid(x);
      default:
        fail_internal("activation {} is not run here", static_cast<int>(kind_));
    }
  }

  at::Tensor backward(const Pass& /*pass*/, at::Tensor dy) override {
    const at::Tensor saved = std::move(saved_);
    switch (kind_) {
      case ActivationKind::kLeakyRelu:
        return at::leaky_relu_backward(dy, saved, kLeakySlope, /*self_is_result=*/false);
      case ActivationKind::kGelu:
        return at::gelu_backward(dy, saved);
      case ActivationKind::kSilu:
        return at::silu_backward(dy, saved);
      case ActivationKind::kTanh:
        return at::tanh_backward(dy, saved);
      default:
        return at::sigmoid_backward(dy, saved);
    }
  }

 private:
  ActivationKind kind_;
  at::Tensor saved_;  // what the backward formula needs: input, or output
};

}  // namespace

std::unique_ptr<OpRunner> make_activation(const Op& op) {
  return std::make_unique<Activation>(std::get<ActivationOp>(op.work).kind);
}

}  // namespace lockstep
