// The settings of the optimizers, and of which parameters they update how (see fields.h).
#pragma once

#include "config/section.h"
#include "config/traits.h"
#include "lockstep/train/options.h"

namespace lockstep {

inline constexpr const char* kFirstMoment = "decay of the first moment";
inline constexpr const char* kSecondMoment = "decay of the second moment";
inline constexpr const char* kToDenominator = "added to the denominator";
inline constexpr const char* kWeightDecay = "decay of the weights";

template <class Visit>
void moment_fields(Visit& visit, float& beta1, float& beta2, float& epsilon) {
  visit("beta1", beta1, kFirstMoment, fraction());
  visit("beta2", beta2, kSecondMoment, fraction());
  visit("epsilon", epsilon, kToDenominator, above_zero());
}

template <>
inline constexpr Choice kChoice<AdamOptions>{"adam", "Adam"};
template <class Visit>
void fields(Visit& visit, AdamOptions& adam) {
  auto& [learning_rate, beta1, beta2, epsilon] = adam;
  visit("learning_rate", learning_rate, "Adam is the default optimizer", above_zero());
  moment_fields(visit, beta1, beta2, epsilon);
}

template <>
inline constexpr Choice kChoice<AdamWOptions>{"adamw", "AdamW"};
template <class Visit>
void fields(Visit& visit, AdamWOptions& adamw) {
  auto& [learning_rate, beta1, beta2, epsilon, weight_decay] = adamw;
  visit("learning_rate", learning_rate, "Adam with decoupled weight decay", above_zero());
  moment_fields(visit, beta1, beta2, epsilon);
  visit("weight_decay", weight_decay, kWeightDecay, at_least(0));
}

template <>
inline constexpr Choice kChoice<SgdOptions>{"sgd", "Sgd"};
template <class Visit>
void fields(Visit& visit, SgdOptions& sgd) {
  auto& [learning_rate, momentum, weight_decay, nesterov] = sgd;
  visit("learning_rate", learning_rate, "stochastic gradient descent", above_zero());
  visit("momentum", momentum, "0: none", fraction());
  visit("weight_decay", weight_decay, kWeightDecay, at_least(0));
  visit("nesterov", nesterov, "Nesterov's momentum; needs a momentum above 0");
}

template <>
inline constexpr Choice kChoice<LambOptions>{"lamb", "Lamb"};
template <class Visit>
void fields(Visit& visit, LambOptions& lamb) {
  auto& [learning_rate, beta1, beta2, epsilon, weight_decay] = lamb;
  visit("learning_rate", learning_rate,
        "Adam's direction of each parameter as long as its weights (You et al. 2020), for large "
        "batches",
        above_zero());
  moment_fields(visit, beta1, beta2, epsilon);
  visit("weight_decay", weight_decay, kWeightDecay, at_least(0));
}

template <>
inline constexpr Choice kChoice<LarsOptions>{"lars", "Lars"};
template <class Visit>
void fields(Visit& visit, LarsOptions& lars) {
  auto& [learning_rate, momentum, weight_decay, trust_coefficient] = lars;
  visit(
      "learning_rate", learning_rate,
      "the gradient of each parameter as long as its weights (You et al. 2017), for large batches",
      above_zero());
  visit("momentum", momentum, "0: none", fraction());
  visit("weight_decay", weight_decay, kWeightDecay, at_least(0));
  visit("trust_coefficient", trust_coefficient,
        "a step's length over that of the weights; a factor of the rate of biases, scales and "
        "shifts too, whose lengths are compared with `optimizer.decays: ALL` alone",
        above_zero());
}

template <>
inline constexpr Choice kChoice<MuonOptions>{"muon", "Muon"};
template <class Visit>
void fields(Visit& visit, MuonOptions& muon) {
  auto& [learning_rate, momentum, weight_decay, beta1, beta2, epsilon] = muon;
  visit("learning_rate", learning_rate,
        "weights of convolutions and dense layers as matrices, a row a unit, move in an orthogonal "
        "direction (Jordan et al. 2024) times 0.2 √(the longer side); other parameters by AdamW at "
        "the same rate",
        above_zero());
  visit("momentum", momentum, "Nesterov's, of matrices", fraction());
  visit("weight_decay", weight_decay, kWeightDecay, at_least(0));
  visit("beta1", beta1, "AdamW's: decay of the first moment", fraction());
  visit("beta2", beta2, kSecondMoment, fraction());
  visit("epsilon", epsilon, kToDenominator, above_zero());
}

template <class Visit>
void fields(Visit& visit, ParameterGroup& group) {
  auto& [layers, rate_factor, decay_factor] = group;
  visit("layers", layers,
        "names, as `inspect` shows them of a checkpoint: whole (`0.conv.weight`) or up to a dot "
        "(`0.conv`, `3`); `*` is any text, `?` any character");
  visit("rate_factor", rate_factor, "of the learning rate; 0: they stay as they are", at_least(0));
  visit("decay_factor", decay_factor, "of `weight_decay`", at_least(0));
}

// The section `optimizer`: one of its kinds, and which parameters it updates how.
struct Updates {
  TrainOptions& train;
};

template <class Visit>
void fields(Visit& visit, Updates& updates) {
  visit.kinds(updates.train.optimizer);
  visit("decays", updates.train.decays,
        "what weight decay is for: the weights of convolutions and dense layers; or every "
        "parameter, biases, scales and shifts too. `lamb` and `lars` compare lengths of the same "
        "ones; for the others their quotient is 1");
  visit.sections(
      "group", "ParameterGroup", updates.train.groups,
      "parameters with a rate and decay of their own; of several groups that match one the "
      "last holds");
}

}  // namespace lockstep
