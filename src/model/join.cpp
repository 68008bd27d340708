// Inputs one after the other along the channels, by LibTorch.

#include <ATen/ops/cat.h>

#include <utility>

#include "model/torch_runner.h"

namespace lockstep {

template <>
class TorchRunner<JoinOp> final : public OpRunner {
 public:
  TorchRunner(const JoinOp& /*join*/, const OpContext& /*context*/) {}

  at::Tensor forward_all(const Pass& /*pass*/, Tensors inputs) override {
    channels_.clear();
    for (const at::Tensor& each : inputs) channels_.push_back(each.size(3));
    return at::cat(inputs, 3);
  }

  Tensors backward_all(const Pass& /*pass*/, at::Tensor dy) override {
    Tensors gradients;
    std::int64_t first = 0;
    for (const std::int64_t count : channels_) {
      gradients.push_back(dy.narrow(3, first, count).contiguous());
      first += count;
    }
    return gradients;
  }

 private:
  std::vector<std::int64_t> channels_;  // by input
};

template std::unique_ptr<OpRunner> make_torch_runner(const JoinOp&, const OpContext&);

}  // namespace lockstep
