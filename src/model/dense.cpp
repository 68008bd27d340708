// Dense layers by LibTorch's matrix products, or by our own kernels in bf16 where
// the processor and the layer allow. The gradient of the weights is computed in
// fp32 straight into the lane's gradient buffer.

#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>

#include <utility>

#include "model/dense_bf16.h"
#include "model/kernels.h"
#include "model/own_runners.h"
#include "model/torch_runner.h"

namespace lockstep {

template <>
class TorchRunner<DenseOp> final : public UnaryRunner {
 public:
  TorchRunner(const DenseOp& dense, const OpContext& context)
      : dense_(dense),
        inputs_(context.in.channels),
        units_(context.out.channels),
        type_(context.type),
        compute_(context.gives_logits ? at::kFloat : context.type),
        input_(context.input) {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    x = x.view({pass.samples, inputs_}).to(compute_);
    const at::Tensor weight = view_weights(pass, dense_.weight, {units_, inputs_}, compute_);
    at::Tensor y =
        dense_.bias ? at::addmm(view_weights(pass, *dense_.bias, {units_}, compute_), x, weight.t())
                    : at::mm(x, weight.t());
    if (pass.mode == Mode::kTrain) x_ = std::move(x);
    return y;
  }

  at::Tensor backward(const Pass& pass, at::Tensor dy) override {
    dy = dy.view({pass.samples, units_});
    const at::Tensor dy32 = dy.to(at::kFloat);
    if (pass.changes(dense_.weight)) {
      at::Tensor dw = view_floats(pass, pass.gradient(dense_.weight), {units_, inputs_});
      at::mm_out(dw, dy32.t(), x_.to(at::kFloat));
    }
    x_.reset();
    if (dense_.bias && pass.changes(*dense_.bias))
      sum_rows(dy32, pass, pass.gradient(*dense_.bias));
    if (input_ == InputGradient::kUnused) return {};
    const at::Tensor weight = view_weights(pass, dense_.weight, {units_, inputs_}, compute_);
    return at::mm(dy, weight).to(type_);
  }

 private:
  void sum_rows(const at::Tensor& dy, const Pass& pass, float* sums) const {
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
  at::ScalarType type_;     // of the activations before the layer
  at::ScalarType compute_;  // of its own arithmetic and output
  InputGradient input_;
  at::Tensor x_;  // [samples, inputs] of the pass under way
};

template std::unique_ptr<OpRunner> make_torch_runner(const DenseOp&, const OpContext&);

namespace {

class OwnDense final : public UnaryRunner {
 public:
  OwnDense(const DenseOp& dense, const OpContext& context)
      : dense_(dense), op_(context), kernels_(context.in.channels, context.out.channels) {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    at::Tensor y = make_activations(x.size(0), op_.out, at::kBFloat16);
    kernels_.forward(x.size(0), const_bits(x), pass.rounded(dense_.weight),
                     dense_.bias ? pass.rounded(*dense_.bias) : nullptr, bits(y));
    if (pass.mode == Mode::kTrain) x_ = std::move(x);
    return y;
  }

  at::Tensor backward(const Pass& pass, at::Tensor dy) override {
    const std::int64_t samples = dy.size(0);
    if (pass.changes(dense_.weight)) {
      kernels_.backward_weight(samples, const_bits(x_), const_bits(dy),
                               pass.gradient(dense_.weight));
    }
    x_.reset();
    if (dense_.bias && pass.changes(*dense_.bias)) {
      kernels().bf16.sum_rows(reinterpret_cast<const Bf16*>(const_bits(dy)), samples,
                              op_.out.channels, pass.gradient(*dense_.bias));
    }
    if (op_.input == InputGradient::kUnused) return {};
    at::Tensor dx = make_activations(samples, op_.in, at::kBFloat16);
    kernels_.backward_input(samples, const_bits(dy), pass.rounded(dense_.weight), bits(dx));
    return dx;
  }

 private:
  DenseOp dense_;
  OpContext op_;
  DenseBf16 kernels_;
  at::Tensor x_;  // [samples, 1, 1, inputs] of the pass under way
};

}  // namespace

std::unique_ptr<OpRunner> make_own_dense(const DenseOp& dense, const OpContext& context) {
  if (context.type != at::kBFloat16 || context.gives_logits ||
      !DenseBf16::can_train(context.in.channels, context.out.channels)) {
    return nullptr;
  }
  return std::make_unique<OwnDense>(dense, context);
}

}  // namespace lockstep
