// The settings of the training and of its schedule (see fields.h).
#pragma once

#include "config/section.h"
#include "config/traits.h"
#include "lockstep/eval/options.h"
#include "lockstep/parallel/options.h"
#include "lockstep/train/options.h"

namespace lockstep {

// Sums of losses and gradients so weighted stay within fp32.
inline constexpr Traits kLossWeight = from(1e-10, 1e10);

inline constexpr Traits kUpToEpochs = Traits().as("0 to `training.epochs`");

// The section `training`, of which each room has its part.
struct Training {
  ParallelOptions& parallel;
  TrainOptions& train;
};

template <class Visit>
void fields(Visit& visit, Training& training) {
  auto& [global_batch, lanes, precision, reduction, digest_every_steps, bucket_bytes, wire] =
      training.parallel;
  auto& [epochs, clip_norm, label_smoothing, class_weights, balance_classes, ema_decay,
         log_every_steps, optimizer, decays, groups, schedule] = training.train;
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
  visit("class_weights", class_weights,
        "of the training's loss, one for each class; sums of losses and gradients are divided by "
        "the sum of the samples' weights; none: 1 each",
        kLossWeight);
  visit("balance_classes", balance_classes,
        "such weights from the training rows: rows / (classes × rows of the class)");
  visit("ema_decay", ema_decay,
        "the result is the weights' moving average; the decay of update t is the smaller of this "
        "and (1 + t) / (10 + t); 0: the weights themselves",
        fraction().last());
  visit("log_every_steps", log_every_steps, "a step line in `metrics.jsonl` so often", at_least(1));
  visit("digest_every_steps", digest_every_steps,
        "compare the ranks' weights so often; 0: at the end of epochs only", at_least(0));
  visit("bucket_bytes", bucket_bytes,
        "between nodes gradients travel while the backward pass still computes others, so many "
        "bytes at least together; 0: all at once after it",
        at_least(0));
  visit("wire", wire,
        "what gradients are while they are summed: `BF16` rounds each lane's and each partial sum, "
        "at every number of ranks, and halves what travels between nodes");
}

template <class Visit>
void fields(Visit& visit, EvaluationOptions& evaluation) {
  auto& [top_k, average_flips, average_shifts] = evaluation;
  visit("top_k", top_k,
        "count rows whose class is among so many of the likeliest, too; 0: 5 where there are more "
        "than 10 classes, else not",
        at_least(0).as("0, or below `data.classes`"));
  visit("average_flips", average_flips,
        "average the logits of each image and its mirror image, in the training's validation, "
        "`evaluate`, `report`, `predict` and `submit`");
  visit("average_shifts", average_shifts,
        "and those of the image, counted twice, and of it moved so many pixels left and up, and "
        "right and down; 0: not",
        at_least(0).as("\u2265 0, below the shorter side"));
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
