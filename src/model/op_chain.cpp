#include "lockstep/model/op_runner.h"

namespace lockstep {

namespace {

// An op whose input needs no gradient: nothing before it has parameters.
bool has_parameters(const Op& op) {
  return std::holds_alternative<ConvOp>(op.work) || std::holds_alternative<DenseOp>(op.work) ||
         std::holds_alternative<NormOp>(op.work);
}

}  // namespace

OpChain::OpChain(const Network& network, Precision precision, const MakeRunner& make)
    : network_(network) {
  InputGradient input = InputGradient::kUnused;
  for (const Op& op : network.ops()) {
    const bool last = &op == &network.ops().back();
    runners_.push_back(
        make(op, type_of(precision), input, last ? Position::kLast : Position::kInner));
    if (has_parameters(op)) input = InputGradient::kNeeded;
  }
}

at::Tensor OpChain::forward(const Pass& pass, at::Tensor x) {
  for (std::size_t i = 0; i < runners_.size(); ++i) {
    const ImageShape& in = network_.ops()[i].in;
    x = runners_[i]->forward(pass, x.view({pass.samples, in.height, in.width, in.channels}));
  }
  return x;
}

void OpChain::backward(const Pass& pass, at::Tensor d_logits) {
  at::Tensor dy = std::move(d_logits);
  for (std::size_t i = runners_.size(); i-- > 0 && dy.defined();) {
    const ImageShape& out = network_.ops()[i].out;
    dy = runners_[i]->backward(pass, dy.view({pass.samples, out.height, out.width, out.channels}));
  }
}

}  // namespace lockstep
