// Relu, max pooling and dropout as one op.

#include <vector>

#include "model/dropout_bytes.h"
#include "model/kernels.h"
#include "model/own_runners.h"

namespace lockstep {

namespace {

template <typename T>
class Gate final : public UnaryRunner {
 public:
  Gate(const GateOp& gate, const OpContext& context) : gate_(gate), op_(context) {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    form_ = make_form(pass);
    at::Tensor y = make_activations(pass.samples, op_.out, op_.type);
    codes_.resize(static_cast<std::size_t>(y.numel()));
    kernels().of<T>().gate_forward(form_, values<T>(x), values<T>(y), codes_.data());
    return y;
  }

  at::Tensor backward(const Pass& pass, at::Tensor dy) override {
    at::Tensor dx = make_activations(pass.samples, op_.in, op_.type);
    kernels().of<T>().gate_backward(form_, values<T>(dy), codes_.data(), values<T>(dx));
    return dx;
  }

 private:
  GateForm make_form(const Pass& pass) {
    const bool drops = gate_.drop.drops() && pass.mode == Mode::kTrain;
    return {
        .samples = pass.samples,
        .height = op_.in.height,
        .width = op_.in.width,
        .channels = op_.in.channels,
        .out_height = op_.out.height,
        .out_width = op_.out.width,
        .size = gate_.pool.size,
        .stride = gate_.pool.stride,
        .padding = gate_.pool.padding,
        .relu = gate_.relu,
        .bits = drops ? bytes_.draw(*pass.context, gate_.drop.layer, *pass.batch, op_.out.pixels())
                      : nullptr,
        .drop_below = static_cast<std::uint8_t>(gate_.drop.of_256),
        .keep_scale = drops ? gate_.drop.keep_scale() : 1.0F};
  }

  GateOp gate_;
  OpContext op_;
  DropoutBytes bytes_;
  GateForm form_{};
  std::vector<std::uint8_t> codes_;  // by output element, of the pass under way
};

}  // namespace

std::unique_ptr<OpRunner> make_gate(const GateOp& gate, const OpContext& context) {
  if (context.type == at::kFloat) return std::make_unique<Gate<float>>(gate, context);
  return std::make_unique<Gate<Bf16>>(gate, context);
}

}  // namespace lockstep
