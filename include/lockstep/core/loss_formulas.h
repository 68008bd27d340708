// The formulas of the loss; see formulas.h.
#pragma once

#include "lockstep/core/formulas.h"

namespace lockstep {

// The labels of a sample: its own, and that of what is mixed into it, which has the rest.
struct SampleLabels {
  int own, other;
  float part;  // of its own
};

// What the loss takes from its options: the smoothing, and a weight for each class, or null.
struct LossRule {
  float smoothing;
  const float* class_weights;
};

namespace formula {

// The weight of a sample in the mean over a batch: that of its labels.
LOCKSTEP_FORMULA float loss_weight(const SampleLabels& labels, const float* class_weights) {
  if (class_weights == nullptr) return 1;
  return labels.part * class_weights[labels.own] + (1 - labels.part) * class_weights[labels.other];
}

LOCKSTEP_FORMULA float target_of(int c, int classes, const SampleLabels& labels,
                                 const LossRule& rule) {
  float target = rule.smoothing / static_cast<float>(classes);
  if (c == labels.own) target += (1 - rule.smoothing) * labels.part;
  if (c == labels.other) target += (1 - rule.smoothing) * (1 - labels.part);
  return rule.class_weights == nullptr ? target : target * rule.class_weights[c];
}

// Softmax cross entropy of one sample. With smoothing s the target is (1 - s) at its label plus
// s / classes everywhere (Szegedy et al. 2016, section 7); of two labels each has its part of
// (1 - s). The loss is - sum over classes of w_c target_c log p_c, its gradient
// p_k sum(w_c target_c) - w_k target_k. Writes the gradient [classes], adds to `loss`, returns the
// first of the largest logits.
LOCKSTEP_FORMULA int cross_entropy(const float* logits, int classes, const SampleLabels& labels,
                                   const LossRule& rule, float* gradient, double& loss) {
  int largest = 0;
  for (int c = 1; c < classes; ++c) largest = logits[c] > logits[largest] ? c : largest;
  double total = 0;
  for (int c = 0; c < classes; ++c) {
    total += LOCKSTEP_MATH(exp)(static_cast<double>(logits[c] - logits[largest]));
  }
  double targets = 1;
  if (rule.class_weights != nullptr) {
    targets = 0;
    for (int c = 0; c < classes; ++c) targets += target_of(c, classes, labels, rule);
  }
  const double log_total = LOCKSTEP_MATH(log)(total) + logits[largest];
  for (int c = 0; c < classes; ++c) {
    const double log_probability = logits[c] - log_total;
    const float target = target_of(c, classes, labels, rule);
    gradient[c] = static_cast<float>(LOCKSTEP_MATH(exp)(log_probability) * targets) - target;
    if (target != 0) loss -= target * log_probability;
  }
  return largest;
}

// Whether a prediction is the label that has the larger part of a sample.
LOCKSTEP_FORMULA bool is_correct(const SampleLabels& labels, int predicted) {
  return predicted == (labels.part < 0.5F ? labels.other : labels.own);
}

}  // namespace formula

}  // namespace lockstep
