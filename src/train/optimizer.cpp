#include "lockstep/train/optimizer.h"

#include <cmath>

#include "lockstep/core/clones.h"

namespace lockstep {

namespace {

struct AdamFactors {
  float beta1, beta2;
  float gradient;  // gradient_factor
  float epsilon;
  AdamStep step;
};

LOCKSTEP_CLONES void adam(const AdamFactors& k, std::int64_t count,
                          const float* __restrict gradient, float* __restrict weight,
                          float* __restrict first, float* __restrict second) {
  const AdamFactors f = k;
  for (std::int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * f.gradient;
    const float m = f.beta1 * first[i] + (1 - f.beta1) * g;
    const float v = f.beta2 * second[i] + (1 - f.beta2) * g * g;
    first[i] = m;
    second[i] = v;
    const float root = __builtin_sqrtf(v * f.step.second_factor);
    weight[i] = f.step.keep * weight[i] - f.step.step_size * m / (root + f.epsilon);
  }
}

struct SgdFactors {
  float gradient, learning_rate, momentum, decay;
  bool nesterov;
};

LOCKSTEP_CLONES void sgd(const SgdFactors& k, std::int64_t count, const float* __restrict gradient,
                         float* __restrict weight, float* __restrict momentum) {
  const SgdFactors f = k;
  for (std::int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * f.gradient + f.decay * weight[i];
    const float m = f.momentum * momentum[i] + g;
    momentum[i] = m;
    weight[i] -= f.learning_rate * (f.nesterov ? g + f.momentum * m : m);
  }
}

template <typename Options>
AdamStep step_of(const Options& options, float learning_rate, float decay, std::int64_t step) {
  const auto t = static_cast<double>(step);
  const double correction1 = 1 - std::pow(static_cast<double>(options.beta1), t);
  const double correction2 = 1 - std::pow(static_cast<double>(options.beta2), t);
  return {static_cast<float>(learning_rate / correction1), static_cast<float>(1 / correction2),
          1 - learning_rate * decay};
}

}  // namespace

AdamStep adam_step(const OptimizerOptions& options, float learning_rate, std::int64_t step) {
  if (const auto* adam = std::get_if<AdamOptions>(&options)) {
    return step_of(*adam, learning_rate, 0, step);
  }
  if (const auto* adam = std::get_if<AdamWOptions>(&options)) {
    return step_of(*adam, learning_rate, adam->weight_decay, step);
  }
  return {};
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
  if (const auto* options = std::get_if<SgdOptions>(&options_)) {
    const SgdFactors factors{rule.gradient_factor, rule.learning_rate, options->momentum,
                             options->weight_decay, options->nesterov};
    sgd(factors, range.size(), gradient, weight, buffer(0));
    return;
  }
  const auto with = [&](const auto& options) {
    return AdamFactors{options.beta1, options.beta2, rule.gradient_factor, options.epsilon,
                       adam_step(options_, rule.learning_rate, rule.step)};
  };
  const auto* with_decay = std::get_if<AdamWOptions>(&options_);
  const AdamFactors factors =
      with_decay != nullptr ? with(*with_decay) : with(std::get<AdamOptions>(options_));
  adam(factors, range.size(), gradient, weight, buffer(0), buffer(1));
}

}  // namespace lockstep
