// Dense layers by our own kernels where the processor and the layer allow, or by LibTorch's
// matrix products. The gradient of the weights is computed in
// fp32 straight into the lane's gradient buffer.

#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>

#include <utility>

#include "model/own_conv.h"
#include "model/own_runners.h"
#include "model/torch_runner.h"
#include "model/turned_dense.h"

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
    if (pass.keeps()) x_ = std::move(x);
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

// To the kernels a convolution of images of one pixel. In and Out: see conv_kernels.h; logits
// are fp32 whatever the activations before them are.
template <typename In, typename Out>
class OwnDense final : public UnaryRunner {
 public:
  OwnDense(const ConvKernels<In, Out>& kernels, const DenseOp& dense, const OpContext& context)
      : dense_(dense),
        op_(context),
        body_(kernels, form_of(dense, context)),
        turned_(kernels, context.in.pixels(), context.out.channels) {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    x = x.to(kOwnType<Out>);
    at::Tensor y = make_activations(x.size(0), op_.out, kOwnType<Out>);
    const Out* weight = own_weights<Out>(pass, dense_.weight);
    const Out* bias = dense_.bias ? own_weights<Out>(pass, *dense_.bias) : nullptr;
    if (turned_.suits(x.size(0)) && op_.in.pixels() % 2 == 0) {
      turned_.forward(x.size(0), values<Out>(x), weight, bias, values<Out>(y));
    } else {
      body_.forward(x.size(0), values<Out>(x), weight, bias, values<Out>(y));
    }
    if (pass.keeps()) x_ = std::move(x);
    return y;
  }

  at::Tensor backward(const Pass& pass, at::Tensor dy) override {
    const std::int64_t samples = dy.size(0);
    at::Tensor dx;
    if (op_.input == InputGradient::kNeeded) {
      dx = make_activations(samples, op_.in, kOwnType<Out>);
    }
    body_.backward(samples, values<Out>(x_), values<Out>(dy), own_weights<Out>(pass, dense_.weight),
                   gradient_or_null(pass, dense_.weight), dx.defined() ? values<Out>(dx) : nullptr);
    x_.reset();
    if (dense_.bias && pass.changes(*dense_.bias)) {
      sum_rows(values<Out>(dy), samples, op_.out.channels, pass.gradient(*dense_.bias));
    }
    return dx.defined() ? dx.to(op_.type) : dx;
  }

  static ConvForm form_of(const DenseOp& /*dense*/, const OpContext& context) {
    return {.in = {1, 1, context.in.pixels()},
            .out = context.out,
            .input_gradient = context.input == InputGradient::kNeeded};
  }

 private:
  DenseOp dense_;
  OpContext op_;
  DirectConv<In, Out> body_;
  TurnedDense<In, Out> turned_;
  at::Tensor x_;  // [samples, 1, 1, inputs] of the pass under way
};

}  // namespace

std::unique_ptr<OpRunner> make_own_dense(const DenseOp& dense, const OpContext& context) {
  return make_direct<OwnDense, LoopKernels>(dense, context);
}

}  // namespace lockstep
