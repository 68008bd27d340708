#include <ATen/ops/add.h>

#include "lockstep/model/op_runner.h"
#include "model/freeze.h"

namespace lockstep {

namespace {

std::size_t index(ValueId id) { return static_cast<std::size_t>(id); }

at::Tensor view_as(const Pass& pass, const at::Tensor& x, const ImageShape& shape) {
  return x.view({pass.samples, shape.height, shape.width, shape.channels});
}

bool is_only_user(const at::Tensor& x) {
  return x.use_count() == 1 && x.storage().use_count() == 1;
}

// The sum is the same whichever of the two keeps it.
at::Tensor sum_of(at::Tensor a, at::Tensor b) {
  if (is_only_user(b)) return b.add_(a);
  if (is_only_user(a)) return a.add_(b);
  return at::add(a, b);
}

}  // namespace

PlanRunner::PlanRunner(const Network& network, Precision precision, const MakeRunner& make)
    : network_(network), needs_gradient_(values_with_gradients(network.graph(), network.plan())) {
  const Plan& plan = network.plan();
  for (const Op& op : plan) {
    // Of an op whose inputs need no gradient nothing before it is trained.
    bool needed = false;
    for (const Operand& in : op.in) needed = needed || needs_gradient_[index(in.id)] != 0;
    const InputGradient input = needed ? InputGradient::kNeeded : InputGradient::kUnused;
    runners_.push_back(make(
        op, {op.in.front().shape, op.out.shape, type_of(precision), input, &op == &plan.back()}));
  }
  last_used_.resize(plan.size());
  std::vector<std::uint8_t> used(needs_gradient_.size(), 0);
  for (std::size_t i = plan.size(); i-- > 0;) {
    for (const Operand& in : plan[i].in) {
      if (used[index(in.id)] == 0) last_used_[i].push_back(index(in.id));
      used[index(in.id)] = 1;
    }
  }
}

at::Tensor PlanRunner::run(const Pass& pass, std::size_t op) {
  Tensors inputs;
  for (const Operand& in : network_.plan()[op].in) {
    inputs.push_back(view_as(pass, values_[index(in.id)], in.shape));
  }
  for (const std::size_t value : last_used_[op]) values_[value].reset();
  Pass own = pass;
  own.passes_back = needs_gradient_[index(network_.plan()[op].out.id)] != 0;
  return runners_[op]->forward_all(own, std::move(inputs));
}

at::Tensor PlanRunner::forward(const Pass& pass, at::Tensor images) {
  values_.assign(needs_gradient_.size(), {});
  values_.front() = std::move(images);
  const Plan& plan = network_.plan();
  for (std::size_t i = 0; i < plan.size(); ++i) {
    values_[index(plan[i].out.id)] = run(pass, i);
    if (watch_) watch_(i);
  }
  return std::move(values_[index(plan.back().out.id)]);
}

// A value's gradient is the sum of those of its uses, the last use first.
void PlanRunner::backward(const Pass& pass, at::Tensor d_logits) {
  const Plan& plan = network_.plan();
  Tensors gradients(needs_gradient_.size());
  gradients[index(plan.back().out.id)] = std::move(d_logits);
  for (std::size_t i = plan.size(); i-- > 0;) {
    const Op& op = plan[i];
    at::Tensor dy = std::move(gradients[index(op.out.id)]);
    if (needs_gradient_[index(op.out.id)] == 0) continue;
    Tensors found = runners_[i]->backward_all(pass, view_as(pass, dy, op.out.shape));
    dy.reset();
    for (std::size_t k = 0; k < op.in.size(); ++k) {
      if (needs_gradient_[index(op.in[k].id)] == 0) continue;
      at::Tensor& sum = gradients[index(op.in[k].id)];
      at::Tensor mine = std::move(found[k]);
      if (sum.defined()) mine = mine.view(sum.sizes());
      sum = sum.defined() ? sum_of(std::move(sum), std::move(mine)) : std::move(mine);
    }
    if (watch_) watch_(i);
  }
}

}  // namespace lockstep
