#include "lockstep/train/optimizer.h"

#include <cmath>

#include "lockstep/core/clones.h"

namespace lockstep {

namespace {

LOCKSTEP_CLONES void adam(const AdamConstants k, const AdamStep step, const float factor,
                          std::int64_t count, const float* __restrict gradient,
                          float* __restrict weight, float* __restrict first,
                          float* __restrict second) {
  for (std::int64_t i = 0; i < count; ++i) {
    weight[i] = formula::adam(k, step, gradient[i] * factor, weight[i], first[i], second[i]);
  }
}

LOCKSTEP_CLONES void sgd(const SgdConstants k, const UpdateRule rule, std::int64_t count,
                         const float* __restrict gradient, float* __restrict weight,
                         float* __restrict momentum) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * rule.gradient_factor;
    weight[i] = formula::sgd(k, rule.learning_rate, g, weight[i], momentum[i]);
  }
}

}  // namespace

AdamConstants adam_constants(const OptimizerOptions& options) {
  const auto of = [](const auto& each) -> AdamConstants {
    if constexpr (requires { each.beta1; }) return {each.beta1, each.beta2, each.epsilon};
    return {};
  };
  return std::visit(of, options);
}

SgdConstants sgd_constants(const OptimizerOptions& options) {
  const auto* sgd = std::get_if<SgdOptions>(&options);
  if (sgd == nullptr) return {};
  return {sgd->momentum, sgd->weight_decay, sgd->nesterov};
}

AdamStep adam_step(const OptimizerOptions& options, float learning_rate, std::int64_t step) {
  const AdamConstants k = adam_constants(options);
  const auto* with_decay = std::get_if<AdamWOptions>(&options);
  const float decay = with_decay == nullptr ? 0 : with_decay->weight_decay;
  const auto t = static_cast<double>(step);
  const double correction1 = 1 - std::pow(static_cast<double>(k.beta1), t);
  const double correction2 = 1 - std::pow(static_cast<double>(k.beta2), t);
  return {static_cast<float>(learning_rate / correction1), static_cast<float>(1 / correction2),
          1 - learning_rate * decay};
}

Optimizer::Optimizer(const OptimizerOptions& options, std::int64_t size) : options_(options) {
  const std::vector<float> zeros(static_cast<std::size_t>(size), 0.0F);
  if (std::holds_alternative<SgdOptions>(options)) {
    buffers_ = {{"momentum", zeros}};
  } else {
    buffers_ = {{"first_moment", zeros}, {"second_moment", zeros}};
  }
}

float base_learning_rate(const OptimizerOptions& options) {
  return std::visit([](const auto& each) { return each.learning_rate; }, options);
}

void Optimizer::update(Range range, std::span<float> weights, std::span<const float> gradients,
                       const UpdateRule& rule) {
  const std::int64_t at = range.first;
  float* weight = weights.data() + at;
  const float* gradient = gradients.data() + at;
  const auto buffer = [&](std::size_t i) { return buffers_[i].values.data() + at; };
  if (std::holds_alternative<SgdOptions>(options_)) {
    sgd(sgd_constants(options_), rule, range.size(), gradient, weight, buffer(0));
    return;
  }
  adam(adam_constants(options_), adam_step(options_, rule.learning_rate, rule.step),
       rule.gradient_factor, range.size(), gradient, weight, buffer(0), buffer(1));
}

}  // namespace lockstep
