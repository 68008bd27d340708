// The rest of a step: batches, the loss, the sum over lanes and the update.
#pragma once

#include "gpu/kernels/common.cuh"

namespace lockstep::gpu {

__device__ inline float pixel_at(const FormBatch& batch, const unsigned char* row, int x, int y,
                                 int c) {
  const bool inside = x >= 0 && y >= 0 && x < batch.width && y < batch.height;
  return inside ? static_cast<float>(row[(y * batch.width + x) * batch.channels + c]) : 0.0F;
}

// Bilinear, zero outside the image; as in data/augmentation.cpp, whose coordinates count
// one pixel before the image.
__device__ inline float moved_pixel(const FormBatch& batch, const unsigned char* row,
                                    const Sample& sample, int x, int y, int c) {
  const float row_x = sample.xy * static_cast<float>(y) + sample.x0;
  const float row_y = sample.xx * static_cast<float>(y) + sample.y0;
  const float last_x = static_cast<float>(batch.width + 1);
  const float last_y = static_cast<float>(batch.height + 1);
  const float at_x = fminf(fmaxf(sample.xx * static_cast<float>(x) + row_x, 0.0F), last_x);
  const float at_y = fminf(fmaxf(-sample.xy * static_cast<float>(x) + row_y, 0.0F), last_y);
  const int left = static_cast<int>(at_x);
  const int top = static_cast<int>(at_y);
  const float part_x = at_x - static_cast<float>(left);
  const float part_y = at_y - static_cast<float>(top);
  const float upper_left = pixel_at(batch, row, left - 1, top - 1, c);
  const float upper_right = pixel_at(batch, row, left, top - 1, c);
  const float lower_left = pixel_at(batch, row, left - 1, top, c);
  const float lower_right = pixel_at(batch, row, left, top, c);
  const float upper = upper_left + part_x * (upper_right - upper_left);
  const float lower = lower_left + part_x * (lower_right - lower_left);
  return upper + part_y * (lower - upper);
}

LOCKSTEP_KERNEL form_batch(const FormBatch batch) {
  const int pixels = batch.height * batch.width * batch.channels;
  const long long slot = batch.samples == nullptr ? blockIdx.x : batch.samples[blockIdx.x].slot;
  const unsigned char* row = batch.rows + slot * pixels;
  for (int i = threadIdx.x; i < pixels; i += kThreads) {
    const int c = i % batch.channels;
    const float value = batch.augment == 0 ? static_cast<float>(row[i])
                                           : moved_pixel(batch, row, batch.samples[blockIdx.x],
                                                         i / batch.channels % batch.width,
                                                         i / batch.channels / batch.width, c);
    store(batch.images, static_cast<long long>(blockIdx.x) * pixels + i,
          value * batch.factor[c] + batch.offset[c]);
  }
}

__device__ inline void lose(const Loss& loss, int n) {
  const float* row = loss.logits + static_cast<long long>(n) * loss.classes;
  float* gradient = loss.d_logits + static_cast<long long>(n) * loss.classes;
  const int label = loss.samples[n].label;
  const float share = loss.smoothing / static_cast<float>(loss.classes);
  int largest = 0;
  for (int c = 1; c < loss.classes; ++c) largest = row[c] > row[largest] ? c : largest;
  double total = 0;
  for (int c = 0; c < loss.classes; ++c) {
    total += exp(static_cast<double>(row[c] - row[largest]));
  }
  const double log_total = log(total) + row[largest];
  double sum = 0;
  for (int c = 0; c < loss.classes; ++c) {
    const double log_probability = row[c] - log_total;
    const float target = share + (c == label ? 1 - loss.smoothing : 0.0F);
    gradient[c] = static_cast<float>(exp(log_probability)) - target;
    if (target != 0) sum -= target * log_probability;
  }
  loss.by_sample[2 * n] = static_cast<float>(sum);
  loss.by_sample[2 * n + 1] = largest == label ? 1.0F : 0.0F;
}

// The order of the tail is that of parallel/step_tail.h.
LOCKSTEP_KERNEL cross_entropy(const Loss loss) {
  for (int n = threadIdx.x; n < loss.count; n += kThreads) lose(loss, n);
  __syncthreads();
  if (threadIdx.x != 0) return;
  double sum = 0;
  float correct = 0;
  for (int n = 0; n < loss.count; ++n) {
    sum += loss.by_sample[2 * n];
    correct += loss.by_sample[2 * n + 1];
  }
  for (int i = 0; i < kTailFloats; ++i) loss.tail[i] = 0;
  loss.tail[0] = static_cast<float>(sum);
  loss.tail[1] = correct;
  loss.tail[2] = static_cast<float>(loss.count);
  for (int flag = 0; flag < kStepFlags; ++flag) loss.tail[3 + flag] = loss.rule->flags[flag];
}

LOCKSTEP_KERNEL add_along_tree(const AddAlongTree tree) {
  const long long at = thread_number();
  if (at >= tree.count) return;
  float stack[kDeepestTree];
  int depth = 0;
  for (int i = 0; i < tree.program_size; ++i) {
    const int step = tree.program[i];
    if (step == kAdd) {
      --depth;
      stack[depth - 1] = stack[depth - 1] + stack[depth];
    } else {
      stack[depth] = tree.buffers[step][at];
      ++depth;
    }
  }
  tree.to[at] = stack[0];
}

LOCKSTEP_KERNEL sum_squares(const Squares squares) {
  const long long begin = static_cast<long long>(blockIdx.x) * kSquareBlock;
  double sum = 0;
  for (int i = threadIdx.x; i < kSquareBlock && begin + i < squares.count; i += kThreads) {
    const double value = squares.values[begin + i];
    sum += value * value;
  }
  const double total = sum_of_block(sum);
  if (threadIdx.x == 0) squares.by_block[blockIdx.x] = total;
}

LOCKSTEP_KERNEL finish_sum(const FinishSum finish) {
  double mine = 0;
  for (int i = threadIdx.x; i < finish.blocks; i += kThreads) mine += finish.squares[i];
  const double square_norm = sum_of_block(mine);
  if (threadIdx.x != 0) return;
  StepFacts* facts = finish.facts;
  facts->square_norm = square_norm;
  for (int i = 0; i < kTailFloats; ++i) facts->tail[i] = finish.tail[i];
  const float samples = finish.tail[2];
  const double norm = sqrt(square_norm) / samples;
  facts->gradient_factor = 1 / samples;
  if (finish.rule->clip_norm > 0 && norm > finish.rule->clip_norm) {
    facts->gradient_factor *= static_cast<float>(finish.rule->clip_norm / norm);
  }
  facts->applied = isfinite(square_norm) ? 1 : 0;
}

// See train/optimizer.h for the formulas.
__device__ inline float adam(const Update& update, const StepRule& rule, long long i, float g) {
  const float m = update.beta1 * update.first[i] + (1 - update.beta1) * g;
  const float v = update.beta2 * update.second[i] + (1 - update.beta2) * g * g;
  update.first[i] = m;
  update.second[i] = v;
  const float root = sqrtf(v * rule.second_factor);
  return rule.keep * update.weights[i] - rule.step_size * m / (root + update.epsilon);
}

__device__ inline float sgd(const Update& update, const StepRule& rule, long long i, float g) {
  const float decayed = g + update.sgd_decay * update.weights[i];
  const float m = update.sgd_momentum * update.first[i] + decayed;
  update.first[i] = m;
  const float way = update.nesterov != 0 ? decayed + update.sgd_momentum * m : m;
  return update.weights[i] - rule.learning_rate * way;
}

LOCKSTEP_KERNEL update_weights(const Update update) {
  const long long i = thread_number();
  if (i >= update.total || update.facts->applied == 0) return;
  const StepRule& rule = *update.rule;
  float value = 0;
  if (i < update.trainable) {
    const float g = update.sum[i] * update.facts->gradient_factor;
    value = update.second == nullptr ? sgd(update, rule, i, g) : adam(update, rule, i, g);
  } else {
    const float keep = fminf(update.momentum[i - update.trainable], rule.statistics_limit);
    const float mean = update.sum[i] / update.facts->tail[2];
    value = keep * update.weights[i] + (1 - keep) * mean;
  }
  update.weights[i] = value;
  if (update.rounded != nullptr) update.rounded[i] = narrow(value);
  if (update.average != nullptr) {
    update.average[i] += rule.average_part * (value - update.average[i]);
  }
}

}  // namespace lockstep::gpu
