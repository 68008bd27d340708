// The settings of the training, its optimizer and schedule (see fields.h).
#pragma once

#include "config/section.h"
#include "config/traits.h"
#include "lockstep/parallel/options.h"
#include "lockstep/train/options.h"

namespace lockstep {

inline constexpr const char* kFirstMoment = "decay of the first moment";
inline constexpr const char* kSecondMoment = "decay of the second moment";
inline constexpr const char* kToDenominator = "added to the denominator";
inline constexpr const char* kWeightDecay = "decay of the weights";
inline constexpr Traits kUpToEpochs = Traits().as("0 to `training.epochs`");

// The section `training`, of which each room has its part.
struct Training {
  ParallelOptions& parallel;
  TrainOptions& train;
};

template <class Visit>
void fields(Visit& visit, Training& training) {
  auto& [global_batch, lanes, precision, reduction, digest_every_steps] = training.parallel;
  auto& [epochs, clip_norm, label_smoothing, ema_decay, log_every_steps, optimizer, decays, groups,
         schedule] = training.train;
  visit("global_batch", global_batch, "samples of one optimizer step over all ranks",
        at_least(1).as("≥ `training.lanes`"));
  visit("lanes", lanes, "logical workers, and so the largest useful number of ranks",
        from(1, kMaxExtent));
  visit("epochs", epochs, "passes over the training rows, at most", at_least(1));
  visit("precision", precision,
        "of activations and the weights they meet; master weights, statistics, sums and the loss "
        "are always FP32");
  visit("reduction", reduction,
        "how gradients are summed: the same bits at every world size, or by the transport's own "
        "all-reduce");
  visit("clip_norm", clip_norm, "limit of the gradient's Euclidean norm; 0: none", at_least(0));
  visit("label_smoothing", label_smoothing, "part of each label spread over all classes",
        fraction());
  visit("ema_decay", ema_decay,
        "the result is the weights' moving average; the decay of update t is the smaller of this "
        "and (1 + t) / (10 + t); 0: the weights themselves",
        fraction().last());
  visit("log_every_steps", log_every_steps, "a step line in `metrics.jsonl` so often", at_least(1));
  visit("digest_every_steps", digest_every_steps,
        "compare the ranks' weights so often; 0: at the end of epochs only", at_least(0));
}

template <>
inline constexpr Choice kChoice<AdamOptions>{"adam", "Adam"};
template <class Visit>
void fields(Visit& visit, AdamOptions& adam) {
  auto& [learning_rate, beta1, beta2, epsilon] = adam;
  visit("learning_rate", learning_rate, "Adam is the default optimizer", above_zero());
  visit("beta1", beta1, kFirstMoment, fraction());
  visit("beta2", beta2, kSecondMoment, fraction());
  visit("epsilon", epsilon, kToDenominator, above_zero());
}

template <>
inline constexpr Choice kChoice<AdamWOptions>{"adamw", "AdamW"};
template <class Visit>
void fields(Visit& visit, AdamWOptions& adamw) {
  auto& [learning_rate, beta1, beta2, epsilon, weight_decay] = adamw;
  visit("learning_rate", learning_rate, "Adam with decoupled weight decay", above_zero());
  visit("beta1", beta1, kFirstMoment, fraction());
  visit("beta2", beta2, kSecondMoment, fraction());
  visit("epsilon", epsilon, kToDenominator, above_zero());
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
  visit("beta1", beta1, kFirstMoment, fraction());
  visit("beta2", beta2, kSecondMoment, fraction());
  visit("epsilon", epsilon, kToDenominator, above_zero());
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
  visit("trust_coefficient", trust_coefficient, "a step's length over that of the weights",
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
        "parameter, biases, scales and shifts too. `lamb` and `lars` have ratios of lengths for "
        "the same ones, and 1 for the others");
  visit.sections(
      "group", "ParameterGroup", updates.train.groups,
      "parameters with a rate and decay of their own; of several groups that match one the "
      "last holds");
}

template <>
inline constexpr Choice kChoice<ConstantSchedule>{"constant", "Constant",
                                                  "the optimizer's rate throughout"};
template <class Visit>
void fields(Visit& /*visit*/, ConstantSchedule& /*schedule*/) {}

template <>
inline constexpr Choice kChoice<WarmupCosineSchedule>{"warmup_cosine", "WarmupCosine"};
template <class Visit>
void fields(Visit& visit, WarmupCosineSchedule& schedule) {
  auto& [warmup_epochs, final_factor] = schedule;
  visit("warmup_epochs", warmup_epochs, "epochs of the linear rise from 0", kUpToEpochs);
  visit("final_factor", final_factor, "the rate at the end of the cosine, as a factor", from(0, 1));
}

template <>
inline constexpr Choice kChoice<OneCycleSchedule>{"one_cycle", "OneCycle"};
template <class Visit>
void fields(Visit& visit, OneCycleSchedule& schedule) {
  auto& [warmup_fraction, initial_divisor, final_divisor] = schedule;
  visit("warmup_fraction", warmup_fraction, "part of all steps in which the rate rises",
        inside_unit());
  visit("initial_divisor", initial_divisor, "the cycle begins at the rate divided by this",
        at_least(1));
  visit("final_divisor", final_divisor, "the cycle ends at its first rate divided by this",
        at_least(1));
}

template <>
inline constexpr Choice kChoice<LinearSchedule>{"linear", "Linear"};
template <class Visit>
void fields(Visit& visit, LinearSchedule& schedule) {
  auto& [warmup_epochs, final_factor] = schedule;
  visit("warmup_epochs", warmup_epochs, "epochs of the linear rise from 0", kUpToEpochs);
  visit("final_factor", final_factor,
        "the rate at the last step, as a factor; in equal steps down to it", from(0, 1));
}

template <>
inline constexpr Choice kChoice<StepSchedule>{"step", "Step"};
template <class Visit>
void fields(Visit& visit, StepSchedule& schedule) {
  auto& [every_epochs, milestones, factor, warmup_epochs] = schedule;
  visit("every_epochs", every_epochs, "the rate is multiplied by `factor` so often", at_least(0));
  visit("milestones", milestones, "or at these epochs, in ascending order");
  visit("factor", factor, "what the rate is multiplied by", inside_unit());
  visit("warmup_epochs", warmup_epochs, "epochs of a linear rise from 0", kUpToEpochs);
}

}  // namespace lockstep
