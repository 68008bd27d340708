// The formulas of the update (train/optimizer.h); see formulas.h.
#pragma once

#include "lockstep/core/formulas.h"

namespace lockstep {

// Whose formula updates the weights; see train/optimizer.h.
enum class UpdateKind { kAdam, kSgd, kLamb, kLars, kMuon };

// What Adam's update takes from its options, and from its step, t, and rate, a.
struct AdamConstants {
  float beta1, beta2, epsilon;
};
struct AdamStep {
  float step_size = 0;      // a / (1 - b1^t)
  float second_factor = 0;  // 1 / (1 - b2^t)
  float keep = 1;           // 1 - a decay
  float first_factor = 0;   // 1 / (1 - b1^t)
};

struct SgdConstants {
  float momentum, decay;
  bool nesterov;
};

namespace formula {

// What turns summed gradients into means whose norm is at most `clip_norm`; 0: any.
LOCKSTEP_FORMULA float gradient_factor(double square_norm, float samples, float clip_norm) {
  const double norm = LOCKSTEP_MATH(sqrt)(square_norm) / samples;
  const float factor = 1 / samples;
  if (clip_norm > 0 && norm > clip_norm) return factor * static_cast<float>(clip_norm / norm);
  return factor;
}

// The step of weights that have a factor of the rate, and a decay, of their own.
LOCKSTEP_FORMULA AdamStep step_of_part(const AdamStep& step, float learning_rate, float rate_factor,
                                       float decay) {
  return {step.step_size * rate_factor, step.second_factor, 1 - learning_rate * rate_factor * decay,
          step.first_factor};
}

// The new weight for the gradient `g`.
LOCKSTEP_FORMULA float adam(const AdamConstants& k, const AdamStep& step, float g, float weight,
                            float& first, float& second) {
  const float m = k.beta1 * first + (1 - k.beta1) * g;
  const float v = k.beta2 * second + (1 - k.beta2) * g * g;
  first = m;
  second = v;
  const float root = LOCKSTEP_MATH(sqrtf)(v * step.second_factor);
  return step.keep * weight - step.step_size * m / (root + k.epsilon);
}

LOCKSTEP_FORMULA float sgd(const SgdConstants& k, float learning_rate, float g, float weight,
                           float& momentum) {
  const float decayed = g + k.decay * weight;
  const float m = k.momentum * momentum + decayed;
  momentum = m;
  return weight - learning_rate * (k.nesterov ? decayed + k.momentum * m : m);
}

LOCKSTEP_FORMULA void lamb_moments(const AdamConstants& k, float g, float& first, float& second) {
  first = k.beta1 * first + (1 - k.beta1) * g;
  second = k.beta2 * second + (1 - k.beta2) * g * g;
}

// From the moments of this step.
LOCKSTEP_FORMULA float lamb_direction(const AdamConstants& k, const AdamStep& step, float decay,
                                      float weight, float first, float second) {
  const float root = LOCKSTEP_MATH(sqrtf)(second * step.second_factor);
  return step.first_factor * first / (root + k.epsilon) + decay * weight;
}

// From the squares of the Euclidean norms of a parameter's weights and of their direction.
LOCKSTEP_FORMULA float lamb_ratio(double weights, double direction) {
  const bool both = weights > 0 && direction > 0;
  return both ? static_cast<float>(LOCKSTEP_MATH(sqrt)(weights / direction)) : 1;
}

// From those of its weights and of their gradient.
LOCKSTEP_FORMULA float lars_ratio(float trust, float decay, double weights, double gradient) {
  const double root = LOCKSTEP_MATH(sqrt)(weights);
  const double sum = LOCKSTEP_MATH(sqrt)(gradient) + decay * root;
  return root > 0 && sum > 0 ? static_cast<float>(trust * root / sum) : trust;
}

// `rate`: the learning rate times the ratio.
LOCKSTEP_FORMULA float lars(const SgdConstants& k, float rate, float g, float weight,
                            float& momentum) {
  const float m = k.momentum * momentum + rate * (g + k.decay * weight);
  momentum = m;
  return weight - m;
}

// What Muon orthogonalizes.
LOCKSTEP_FORMULA float muon_direction(float k, float g, float& momentum) {
  momentum = k * momentum + g;
  return g + k * momentum;
}

// `rate`: the learning rate times the matrix' scale; `keep`: 1 - learning rate times decay.
LOCKSTEP_FORMULA float muon(float rate, float keep, float direction, float weight) {
  return keep * weight - rate * direction;
}

// An average of weights goes `part` of its way to the newest ones.
LOCKSTEP_FORMULA float moved_average(float average, float part, float weight) {
  return average + part * (weight - average);
}

// The most that update t, from 1, keeps of a running statistic that began as 0 or 1; of one that
// a file gave it may keep all.
LOCKSTEP_FORMULA float statistics_limit(float t) { return 1 - 1 / t; }

// A running statistic after a batch; `sum` is that of the lanes', times samples.
LOCKSTEP_FORMULA float running_statistic(float momentum, float limit, float running, float sum,
                                         float samples) {
  const float keep = limit < momentum ? limit : momentum;
  return keep * running + (1 - keep) * (sum / samples);
}

}  // namespace formula

}  // namespace lockstep
