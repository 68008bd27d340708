// Relu, max pooling and dropout as one op.

#include <vector>

#include "lockstep/model/op_runner.h"
#include "model/dropout_bytes.h"
#include "model/kernels.h"

namespace lockstep {

namespace {

template <typename T>
class Gate final : public OpRunner {
 public:
  Gate(const Op& op, at::ScalarType type)
      : gate_(std::get<GateOp>(op.work)), op_(op), type_(type) {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    form_ = make_form(pass);
    at::Tensor y = make_activations(pass.samples, op_.out, type_);
    codes_.resize(static_cast<std::size_t>(y.numel()));
    kernels().of<T>().gate_forward(form_, data(x), data(y), codes_.data());
    return y;
  }

  at::Tensor backward(const Pass& pass, at::Tensor dy) override {
    at::Tensor dx = make_activations(pass.samples, op_.in, type_);
    kernels().of<T>().gate_backward(form_, data(dy), codes_.data(), data(dx));
    return dx;
  }

 private:
  static T* data(const at::Tensor& tensor) { return static_cast<T*>(tensor.data_ptr()); }

  GateForm make_form(const Pass& pass) {
    const bool drops = gate_.drop_of_256 > 0 && pass.mode == Mode::kTrain;
    return {
        .samples = pass.samples,
        .height = op_.in.height,
        .width = op_.in.width,
        .channels = op_.in.channels,
        .out_height = op_.out.height,
        .out_width = op_.out.width,
        .size = gate_.pool_size,
        .stride = gate_.pool_stride,
        .relu = gate_.relu,
        .bits = drops ? bytes_.draw(*pass.context, gate_.drop_layer, *pass.batch, op_.out.pixels())
                      : nullptr,
        .drop_below = static_cast<std::uint8_t>(gate_.drop_of_256),
        .keep_scale = drops ? keep_scale(gate_.drop_of_256) : 1.0F};
  }

  GateOp gate_;
  Op op_;
  at::ScalarType type_;
  DropoutBytes bytes_;
  GateForm form_{};
  std::vector<std::uint8_t> codes_;  // by output element, of the pass under way
};

}  // namespace

std::unique_ptr<OpRunner> make_gate(const Op& op, at::ScalarType type) {
  if (type == at::kFloat) return std::make_unique<Gate<float>>(op, type);
  return std::make_unique<Gate<Bf16>>(op, type);
}

}  // namespace lockstep
