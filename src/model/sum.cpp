// The sum of two inputs and a relu, by LibTorch.

#include <ATen/ops/add.h>
#include <ATen/ops/threshold_backward.h>

#include <utility>

#include "model/torch_runner.h"

namespace lockstep {

template <>
class TorchRunner<SumOp> final : public OpRunner {
 public:
  TorchRunner(const SumOp& sum, const OpContext& /*context*/) : relu_(sum.relu) {}

  at::Tensor forward_all(const Pass& pass, Tensors inputs) override {
    at::Tensor y = at::add(inputs[0], inputs[1]);
    if (!relu_) return y;
    y.relu_();
    if (pass.keeps()) y_ = y;
    return y;
  }

  Tensors backward_all(const Pass& /*pass*/, at::Tensor dy) override {
    if (relu_) dy = at::threshold_backward(dy, std::exchange(y_, {}), 0);
    return {dy, dy};
  }

 private:
  bool relu_;
  at::Tensor y_;  // of the pass under way
};

template std::unique_ptr<OpRunner> make_torch_runner(const SumOp&, const OpContext&);

}  // namespace lockstep
