#include "lockstep/model/op_runner.h"

namespace lockstep {

OpChain::OpChain(const Network& network, Precision precision, const MakeRunner& make)
    : network_(network) {
  // An op whose input needs no gradient: nothing before it has parameters.
  InputGradient input = InputGradient::kUnused;
  for (const Op& op : network.plan()) {
    const bool last = &op == &network.plan().back();
    runners_.push_back(make(op, {op.in, op.out, type_of(precision), input, last}));
    const bool has_parameters =
        std::visit([](const auto& work) { return work.kHasParameters; }, op.work);
    if (has_parameters) input = InputGradient::kNeeded;
  }
}

at::Tensor OpChain::forward(const Pass& pass, at::Tensor x) {
  for (std::size_t i = 0; i < runners_.size(); ++i) {
    const ImageShape& in = network_.plan()[i].in;
    x = runners_[i]->forward(pass, x.view({pass.samples, in.height, in.width, in.channels}));
  }
  return x;
}

void OpChain::backward(const Pass& pass, at::Tensor d_logits) {
  at::Tensor dy = std::move(d_logits);
  for (std::size_t i = runners_.size(); i-- > 0 && dy.defined();) {
    const ImageShape& out = network_.plan()[i].out;
    dy = runners_[i]->backward(pass, dy.view({pass.samples, out.height, out.width, out.channels}));
  }
}

}  // namespace lockstep
