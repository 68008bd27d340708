// Dense layers by LibTorch's matrix products, or by our own kernels in bf16 where
// the processor and the layer allow. The gradient of the weights is computed in
// fp32 straight into the lane's gradient buffer.

#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>

#include <utility>

#include "lockstep/model/op_runner.h"
#include "model/dense_bf16.h"
#include "model/kernels.h"

namespace lockstep {

namespace {

class TorchDense final : public OpRunner {
 public:
  // `compute` is the type of the layer's own arithmetic and output, `type` that of
  // the activations before it.
  TorchDense(const Op& op, at::ScalarType type, at::ScalarType compute, InputGradient input)
      : dense_(std::get<DenseOp>(op.work)),
        inputs_(op.in.channels),
        units_(op.out.channels),
        type_(type),
        compute_(compute),
        input_(input) {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    x = x.view({pass.samples, inputs_}).to(compute_);
    const at::Tensor weight = view_weights(pass, dense_.weight, {units_, inputs_}, compute_);
    at::Tensor y =
        dense_.bias.size() == 0
            ? at::mm(x, weight.t())
            : at::addmm(view_weights(pass, dense_.bias, {units_}, compute_), x, weight.t());
    if (pass.mode == Mode::kTrain) x_ = std::move(x);
    return y;
  }

  at::Tensor backward(const Pass& pass, at::Tensor dy) override {
    dy = dy.view({pass.samples, units_});
    const at::Tensor dy32 = dy.to(at::kFloat);
    at::Tensor dw = view_floats(pass, pass.gradient(dense_.weight), {units_, inputs_});
    at::mm_out(dw, dy32.t(), x_.to(at::kFloat));
    x_.reset();
    if (dense_.bias.size() > 0) {
      sum_rows(pass, dy32);
    }
    if (input_ == InputGradient::kUnused) return {};
    const at::Tensor weight = view_weights(pass, dense_.weight, {units_, inputs_}, compute_);
    return at::mm(dy, weight).to(type_);
  }

 private:
  void sum_rows(const Pass& pass, const at::Tensor& dy) const {
    float* sums = pass.gradient(dense_.bias);
    if (pass.device.is_cpu()) {
      kernels().fp32.sum_rows(dy.const_data_ptr<float>(), pass.samples, units_, sums);
      return;
    }
    at::Tensor to = view_floats(pass, sums, {units_});
    at::sum_out(to, dy, {0});
  }

  DenseOp dense_;
  std::int64_t inputs_;
  std::int64_t units_;
  at::ScalarType type_;
  at::ScalarType compute_;
  InputGradient input_;
  at::Tensor x_;  // [samples, inputs] of the pass under way
};

class OwnDense final : public OpRunner {
 public:
  OwnDense(const Op& op, InputGradient input)
      : parameters_(std::get<DenseOp>(op.work)),
        op_(op),
        input_(input),
        dense_(op.in.channels, op.out.channels) {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    at::Tensor y = make_activations(x.size(0), op_.out, at::kBFloat16);
    const bool has_bias = parameters_.bias.size() > 0;
    dense_.forward(x.size(0), const_bits(x), pass.rounded(parameters_.weight),
                   has_bias ? pass.rounded(parameters_.bias) : nullptr, bits(y));
    if (pass.mode == Mode::kTrain) x_ = std::move(x);
    return y;
  }

  at::Tensor backward(const Pass& pass, at::Tensor dy) override {
    const std::int64_t samples = dy.size(0);
    dense_.backward_weight(samples, const_bits(x_), const_bits(dy),
                           pass.gradient(parameters_.weight));
    x_.reset();
    if (parameters_.bias.size() > 0) {
      kernels().bf16.sum_rows(reinterpret_cast<const Bf16*>(const_bits(dy)), samples,
                              op_.out.channels, pass.gradient(parameters_.bias));
    }
    if (input_ == InputGradient::kUnused) return {};
    at::Tensor dx = make_activations(samples, op_.in, at::kBFloat16);
    dense_.backward_input(samples, const_bits(dy), pass.rounded(parameters_.weight), bits(dx));
    return dx;
  }

 private:
  DenseOp parameters_;
  Op op_;
  InputGradient input_;
  DenseBf16 dense_;
  at::Tensor x_;  // [samples, 1, 1, inputs] of the pass under way
};

}  // namespace

std::unique_ptr<OpRunner> make_dense(const Op& op, at::ScalarType type, InputGradient input) {
  if (type == at::kBFloat16 && DenseBf16::can_train(op.in.channels, op.out.channels)) {
    return std::make_unique<OwnDense>(op, input);
  }
  return make_torch_dense(op, type, input);
}

std::unique_ptr<OpRunner> make_torch_dense(const Op& op, at::ScalarType type, InputGradient input) {
  return std::make_unique<TorchDense>(op, type, type, input);
}

std::unique_ptr<OpRunner> make_logits(const Op& op, at::ScalarType type, InputGradient input) {
  return std::make_unique<TorchDense>(op, type, at::kFloat, input);
}

}  // namespace lockstep
