#include "lockstep/train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <utility>

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

// The moments are this step's already.
LOCKSTEP_CLONES void lamb(const AdamConstants k, const AdamStep step, const float decay,
                          const float rate, std::int64_t count, float* __restrict weight,
                          const float* __restrict first, const float* __restrict second) {
  for (std::int64_t i = 0; i < count; ++i) {
    weight[i] -= rate * formula::lamb_direction(k, step, decay, weight[i], first[i], second[i]);
  }
}

LOCKSTEP_CLONES void lars(const SgdConstants k, const float rate, const float factor,
                          std::int64_t count, const float* __restrict gradient,
                          float* __restrict weight, float* __restrict momentum) {
  for (std::int64_t i = 0; i < count; ++i) {
    weight[i] = formula::lars(k, rate, gradient[i] * factor, weight[i], momentum[i]);
  }
}

UpdateKind kind_of(const AdamOptions& /*options*/) { return UpdateKind::kAdam; }
UpdateKind kind_of(const AdamWOptions& /*options*/) { return UpdateKind::kAdam; }
UpdateKind kind_of(const SgdOptions& /*options*/) { return UpdateKind::kSgd; }
UpdateKind kind_of(const LambOptions& /*options*/) { return UpdateKind::kLamb; }
UpdateKind kind_of(const LarsOptions& /*options*/) { return UpdateKind::kLars; }
UpdateKind kind_of(const MuonOptions& /*options*/) { return UpdateKind::kMuon; }

// All of it one part, for those who have no network.
UpdatePart whole(const OptimizerOptions& options, std::int64_t size) {
  const bool adapted = has_trust_ratios(update_kind(options));
  return {.range = {0, size},
          .decay = weight_decay_of(options),
          .as = adapted ? UpdatePart::As::kAdapted : UpdatePart::As::kElements};
}

}  // namespace

UpdateKind update_kind(const OptimizerOptions& options) {
  return std::visit([](const auto& each) { return kind_of(each); }, options);
}

AdamConstants adam_constants(const OptimizerOptions& options) {
  const auto of = [](const auto& each) -> AdamConstants {
    if constexpr (requires { each.epsilon; }) return {each.beta1, each.beta2, each.epsilon};
    return {};
  };
  return std::visit(of, options);
}

SgdConstants sgd_constants(const OptimizerOptions& options) {
  const auto of = [](const auto& each) -> SgdConstants {
    if constexpr (requires { each.nesterov; }) return {each.momentum, 0, each.nesterov};
    if constexpr (requires { each.momentum; }) return {each.momentum, 0, false};
    return {};
  };
  return std::visit(of, options);
}

AdamStep adam_step(const OptimizerOptions& options, float learning_rate, std::int64_t step) {
  const AdamConstants k = adam_constants(options);
  const auto t = static_cast<double>(step);
  const double correction1 = 1 - std::pow(static_cast<double>(k.beta1), t);
  const double correction2 = 1 - std::pow(static_cast<double>(k.beta2), t);
  return {.step_size = static_cast<float>(learning_rate / correction1),
          .second_factor = static_cast<float>(1 / correction2),
          .first_factor = static_cast<float>(1 / correction1)};
}

float trust_coefficient(const OptimizerOptions& options) {
  const auto* lars = std::get_if<LarsOptions>(&options);
  return lars == nullptr ? 1 : lars->trust_coefficient;
}

float weight_decay_of(const OptimizerOptions& options) {
  const auto of = [](const auto& each) -> float {
    if constexpr (requires { each.weight_decay; }) return each.weight_decay;
    return 0;
  };
  return std::visit(of, options);
}

bool has_trust_ratios(UpdateKind kind) {
  return kind == UpdateKind::kLamb || kind == UpdateKind::kLars;
}

bool depends_on_decays(const OptimizerOptions& options) {
  return weight_decay_of(options) != 0 || has_trust_ratios(update_kind(options));
}

float base_learning_rate(const OptimizerOptions& options) {
  return std::visit([](const auto& each) { return each.learning_rate; }, options);
}

std::vector<std::string> buffer_names(const OptimizerOptions& options) {
  switch (update_kind(options)) {
    case UpdateKind::kSgd:
    case UpdateKind::kLars:
      return {"momentum"};
    case UpdateKind::kMuon:  // of a matrix the first is its momentum, the second of no use
    case UpdateKind::kAdam:
    case UpdateKind::kLamb:
      return {"first_moment", "second_moment"};
  }
  return {};
}

Optimizer::Optimizer(const OptimizerOptions& options, std::vector<UpdatePart> parts)
    : options_(options), parts_(std::move(parts)) {
  const std::int64_t size = parts_.empty() ? 0 : parts_.back().range.last;
  for (const std::string& name : buffer_names(options)) {
    buffers_.push_back({name, std::vector<float>(static_cast<std::size_t>(size), 0.0F)});
  }
  matrices_ = matrices_by_cost(parts_);
  if (!has_trust_ratios(update_kind(options))) return;
  blocks_ = ratio_blocks(parts_);
  squares_.resize(blocks_.size());
  ratios_.resize(parts_.size(), trust_coefficient(options));
}

Optimizer::Optimizer(const OptimizerOptions& options, std::int64_t size)
    : Optimizer(options, std::vector{whole(options, size)}) {}

Optimizer::At Optimizer::at(std::int64_t element, std::span<float> weights,
                            std::span<const float> gradients) {
  return {weights.data() + element, gradients.data() + element, buffers_[0].values.data() + element,
          buffers_.size() > 1 ? buffers_[1].values.data() + element : nullptr};
}

void Optimizer::update(Range range, std::span<float> weights, std::span<const float> gradients,
                       const UpdateRule& rule) {
  const AdamStep step = adam_step(options_, rule.learning_rate, rule.step);
  const auto ends = [](const UpdatePart& part, std::int64_t first) {
    return part.range.last <= first;
  };
  auto part = std::lower_bound(parts_.begin(), parts_.end(), range.first, ends);
  for (; part != parts_.end() && part->range.first < range.last; ++part) {
    const std::int64_t first = std::max(range.first, part->range.first);
    const std::int64_t last = std::min(range.last, part->range.last);
    update_part(static_cast<std::size_t>(part - parts_.begin()), last - first,
                at(first, weights, gradients), rule, step);
  }
}

void Optimizer::update_part(std::size_t index, std::int64_t count, const At& at,
                            const UpdateRule& rule, const AdamStep& step) {
  const UpdatePart& part = parts_[index];
  UpdateRule of_part = rule;
  of_part.learning_rate *= part.rate_factor;
  const AdamConstants moments = adam_constants(options_);
  const AdamStep adam_step =
      formula::step_of_part(step, rule.learning_rate, part.rate_factor, part.decay);
  SgdConstants momentum = sgd_constants(options_);
  momentum.decay = part.decay;
  switch (update_kind(options_)) {
    case UpdateKind::kMuon:
      if (part.as == UpdatePart::As::kMatrix) return;  // prepared, and so moved
      [[fallthrough]];
    case UpdateKind::kAdam:
      adam(moments, adam_step, rule.gradient_factor, count, at.gradient, at.weight, at.first,
           at.second);
      return;
    case UpdateKind::kSgd:
      sgd(momentum, of_part, count, at.gradient, at.weight, at.first);
      return;
    case UpdateKind::kLamb:
      lamb(moments, adam_step, part.decay, of_part.learning_rate * ratios_[index], count, at.weight,
           at.first, at.second);
      return;
    case UpdateKind::kLars:
      lars(momentum, of_part.learning_rate * ratios_[index], rule.gradient_factor, count,
           at.gradient, at.weight, at.first);
      return;
  }
}

}  // namespace lockstep
