// The product of two inputs, of which the second may have one value a channel, by LibTorch.

#include <ATen/ops/mul.h>
#include <ATen/ops/sum.h>

#include <utility>

#include "model/torch_runner.h"

namespace lockstep {

template <>
class TorchRunner<MultiplyOp> final : public OpRunner {
 public:
  TorchRunner(const MultiplyOp& /*multiply*/, const OpContext& /*context*/) {}

  at::Tensor forward_all(const Pass& pass, Tensors inputs) override {
    at::Tensor y = at::mul(inputs[0], inputs[1]);
    if (pass.keeps()) inputs_ = std::move(inputs);
    return y;
  }

  // d_gate is dy x, summed over the values that a gate's value is for.
  Tensors backward_all(const Pass& /*pass*/, at::Tensor dy) override {
    const Tensors inputs = std::move(inputs_);
    at::Tensor dx = at::mul(dy, inputs[1]);
    const at::Tensor& gate = inputs[1];
    if (gate.sizes() == dy.sizes()) return {std::move(dx), at::mul(dy, inputs[0])};
    const at::Tensor products = at::mul(dy.to(at::kFloat), inputs[0].to(at::kFloat));
    return {std::move(dx), at::sum(products, {1, 2}, /*keepdim=*/true).to(gate.scalar_type())};
  }

 private:
  Tensors inputs_;  // of the pass under way
};

template std::unique_ptr<OpRunner> make_torch_runner(const MultiplyOp&, const OpContext&);

}  // namespace lockstep
