// The update of the weights and of the running statistics; formulas: train/optimizer.h.
#pragma once

#include "gpu/kernels/common.cuh"

namespace lockstep::gpu {

// The index of the part of weight `i`.
__device__ inline int part_of(const Update& update, long long i) {
  int low = 0;
  int high = update.part_count - 1;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (i < update.parts[middle].last) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

// Sums of squares of a block; of LAMB, whose direction needs them, the moments too.
LOCKSTEP_KERNEL measure_block(const Update update) {
  if (update.facts->applied == 0) return;
  const Block block = update.blocks[blockIdx.x];
  const Part& part = update.parts[block.part];
  double weights = 0;
  double others = 0;
  for (long long i = block.first + threadIdx.x; i < block.last; i += kThreads) {
    const double weight = update.weights[i];
    const float g = update.sum[i] * update.facts->gradient_factor;
    double other = g;
    if (update.kind == UpdateKind::kLamb) {
      formula::lamb_moments(update.adam, g, update.first[i], update.second[i]);
      other = formula::lamb_direction(update.adam, update.rule->adam, part.decay, update.weights[i],
                                      update.first[i], update.second[i]);
    }
    weights += weight * weight;
    others += other * other;
  }
  const double weights_of_block = sum_of_block(weights);
  const double others_of_block = sum_of_block(others);
  if (threadIdx.x != 0) return;
  update.squares[2 * blockIdx.x] = weights_of_block;
  update.squares[2 * blockIdx.x + 1] = others_of_block;
}

LOCKSTEP_KERNEL trust_ratio(const Update update) {
  const Part& part = update.parts[blockIdx.x];
  double weights = 0;
  double others = 0;
  for (int i = part.first_block + static_cast<int>(threadIdx.x); i < part.last_block;
       i += kThreads) {
    weights += update.squares[2 * i];
    others += update.squares[2 * i + 1];
  }
  const double all_weights = sum_of_block(weights);
  const double all_others = sum_of_block(others);
  if (threadIdx.x != 0) return;
  float ratio = update.trust;
  if (part.adapted != 0) {
    ratio = update.kind == UpdateKind::kLamb
                ? formula::lamb_ratio(all_weights, all_others)
                : formula::lars_ratio(update.trust, part.decay, all_weights, all_others);
  }
  update.ratios[blockIdx.x] = ratio;
}

// What is to be made orthogonal; of no use where the update is not applied.
LOCKSTEP_KERNEL matrix_directions(const Update update) {
  const long long i = thread_number();
  if (i >= update.trainable || update.facts->applied == 0) return;
  if (update.parts[part_of(update, i)].matrix == 0) return;
  const float g = update.sum[i] * update.facts->gradient_factor;
  update.direction[i] = formula::muon_direction(update.sgd.momentum, g, update.first[i]);
}

__device__ inline float moved_weight(const Update& update, long long i, float value) {
  const StepRule& rule = *update.rule;
  const int index = update.part_count == 1 ? 0 : part_of(update, i);
  const Part& part = update.parts[index];
  const AdamStep step =
      formula::step_of_part(rule.adam, rule.learning_rate, part.rate_factor, part.decay);
  SgdConstants sgd = update.sgd;
  sgd.decay = part.decay;
  const float rate = rule.learning_rate * part.rate_factor;
  const float g = update.sum[i] * update.facts->gradient_factor;
  switch (update.kind) {
    case UpdateKind::kMuon:
      if (part.matrix != 0) {
        return formula::muon(rate * part.scale, step.keep, update.direction[i], value);
      }
      return formula::adam(update.adam, step, g, value, update.first[i], update.second[i]);
    case UpdateKind::kAdam:
      return formula::adam(update.adam, step, g, value, update.first[i], update.second[i]);
    case UpdateKind::kSgd:
      return formula::sgd(sgd, rate, g, value, update.first[i]);
    case UpdateKind::kLamb:
      return value - rate * update.ratios[index] *
                         formula::lamb_direction(update.adam, step, part.decay, value,
                                                 update.first[i], update.second[i]);
    case UpdateKind::kLars:
      return formula::lars(sgd, rate * update.ratios[index], g, value, update.first[i]);
  }
  return value;
}

LOCKSTEP_KERNEL update_weights(const Update update) {
  const long long i = thread_number();
  if (i >= update.changing || update.facts->applied == 0) return;
  const StepRule& rule = *update.rule;
  float value = update.weights[i];
  if (i < update.trainable) {
    value = moved_weight(update, i, value);
  } else {
    const long long statistic = i - update.trainable;
    const float limit = update.taken[statistic] != 0 ? 1 : rule.statistics_limit;
    value = formula::running_statistic(update.momentum[statistic], limit, value, update.sum[i],
                                       update.facts->tail[kSamples]);
  }
  update.weights[i] = value;
  if (update.rounded != nullptr) update.rounded[i] = formula::to_bf16(value);
  if (update.average != nullptr) {
    update.average[i] = formula::moved_average(update.average[i], rule.average_part, value);
  }
}

}  // namespace lockstep::gpu
