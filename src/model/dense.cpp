// Dense layers by LibTorch's matrix products. The gradient of the weights is
// computed in fp32 straight into the lane's gradient buffer.

#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>

#include <utility>

#include "model/kernels.h"
#include "model/op_runner.h"

namespace lockstep {

namespace {

class Dense final : public OpRunner {
 public:
  // `compute` is the type of the layer's own arithmetic and output, `type` that of
  // the activations before it.
  Dense(const Op& op, at::ScalarType type, at::ScalarType compute, InputGradient input)
      : dense_(std::get<DenseOp>(op.work)),
        inputs_(op.in.channels),
        units_(op.out.channels),
        type_(type),
        compute_(compute),
        input_(input) {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    x = x.view({pass.batch.size, inputs_}).to(compute_);
    const at::Tensor weight = view_weights(pass, dense_.weight, {units_, inputs_}, compute_);
    at::Tensor y =
        dense_.bias.size() == 0
            ? at::mm(x, weight.t())
            : at::addmm(view_weights(pass, dense_.bias, {units_}, compute_), x, weight.t());
    if (pass.mode == Mode::kTrain) x_ = std::move(x);
    return y;
  }

  at::Tensor backward(const Pass& pass, at::Tensor dy) override {
    dy = dy.view({pass.batch.size, units_});
    const at::Tensor dy32 = dy.to(at::kFloat);
    at::Tensor dw = view_floats(pass.gradient(dense_.weight), {units_, inputs_});
    at::mm_out(dw, dy32.t(), x_.to(at::kFloat));
    x_.reset();
    if (dense_.bias.size() > 0) {
      kernels().fp32.sum_rows(dy32.data_ptr<float>(), pass.batch.size, units_,
                              pass.gradient(dense_.bias));
    }
    if (input_ == InputGradient::kUnused) return {};
    const at::Tensor weight = view_weights(pass, dense_.weight, {units_, inputs_}, compute_);
    return at::mm(dy, weight).to(type_);
  }

 private:
  DenseOp dense_;
  std::int64_t inputs_;
  std::int64_t units_;
  at::ScalarType type_;
  at::ScalarType compute_;
  InputGradient input_;
  at::Tensor x_;  // [samples, inputs] of the pass under way
};

}  // namespace

std::unique_ptr<OpRunner> make_dense(const Op& op, at::ScalarType type, InputGradient input) {
  return std::make_unique<Dense>(op, type, type, input);
}

std::unique_ptr<OpRunner> make_logits(const Op& op, at::ScalarType type, InputGradient input) {
  return std::make_unique<Dense>(op, type, at::kFloat, input);
}

}  // namespace lockstep
