// The rest of a step: batches, the loss, the sum over lanes and the update.
#pragma once

#include "gpu/kernels/common.cuh"

namespace lockstep::gpu {

__device__ inline float pixel_value(const FormBatch& batch, long long index) {
  return batch.floats == 0
             ? static_cast<float>(static_cast<const unsigned char*>(batch.rows)[index])
             : static_cast<const float*>(batch.rows)[index];
}

// `row`: index of the image's first value.
__device__ inline float pixel_at(const FormBatch& batch, long long row, int x, int y, int c) {
  const bool inside = x >= 0 && y >= 0 && x < batch.width && y < batch.height;
  return inside ? pixel_value(batch, row + (y * batch.width + x) * batch.channels + c)
                : batch.outside;
}

__device__ inline float moved_pixel(const FormBatch& batch, long long row, const SourceMap& map,
                                    int x, int y, int c) {
  const PixelPlace at = formula::source_of(map, batch.width, batch.height, x, y);
  return formula::bilinear(at, pixel_at(batch, row, at.left - 1, at.top - 1, c),
                           pixel_at(batch, row, at.left, at.top - 1, c),
                           pixel_at(batch, row, at.left - 1, at.top, c),
                           pixel_at(batch, row, at.left, at.top, c));
}

LOCKSTEP_KERNEL form_batch(const FormBatch batch) {
  const int pixels = batch.height * batch.width * batch.channels;
  const long long slot = batch.samples == nullptr ? blockIdx.x : batch.samples[blockIdx.x].slot;
  const long long row = slot * pixels;
  for (int i = threadIdx.x; i < pixels; i += kThreads) {
    const int c = i % batch.channels;
    const float value = batch.augment == 0 ? pixel_value(batch, row + i)
                                           : moved_pixel(batch, row, batch.samples[blockIdx.x].map,
                                                         i / batch.channels % batch.width,
                                                         i / batch.channels / batch.width, c);
    store(batch.images, static_cast<long long>(blockIdx.x) * pixels + i,
          value * batch.factor[c] + batch.offset[c]);
  }
}

__device__ inline void lose(const Loss& loss, int n) {
  const long long row = static_cast<long long>(n) * loss.classes;
  const int label = loss.samples[n].label;
  double sum = 0;
  const int largest = formula::cross_entropy(loss.logits + row, loss.classes, label, loss.smoothing,
                                             loss.d_logits + row, sum);
  loss.by_sample[2 * n] = static_cast<float>(sum);
  loss.by_sample[2 * n + 1] = largest == label ? 1.0F : 0.0F;
}

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
  for (int i = 0; i < kTailSize; ++i) loss.tail[i] = 0;
  loss.tail[kLoss] = static_cast<float>(sum);
  loss.tail[kCorrect] = correct;
  loss.tail[kSamples] = static_cast<float>(loss.count);
  for (int flag = 0; flag < kFlags; ++flag) loss.tail[kFirstFlag + flag] = loss.rule->flags[flag];
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
  for (int i = 0; i < kTailSize; ++i) facts->tail[i] = finish.tail[i];
  facts->gradient_factor =
      formula::gradient_factor(square_norm, finish.tail[kSamples], finish.rule->clip_norm);
  facts->applied = isfinite(square_norm) ? 1 : 0;
}

LOCKSTEP_KERNEL update_weights(const Update update) {
  const long long i = thread_number();
  if (i >= update.changing || update.facts->applied == 0) return;
  const StepRule& rule = *update.rule;
  float value = update.weights[i];
  if (i < update.trainable) {
    const float g = update.sum[i] * update.facts->gradient_factor;
    value =
        update.second == nullptr
            ? formula::sgd(update.sgd, rule.learning_rate, g, value, update.first[i])
            : formula::adam(update.adam, rule.adam, g, value, update.first[i], update.second[i]);
  } else {
    value = formula::running_statistic(update.momentum[i - update.trainable], rule.statistics_limit,
                                       value, update.sum[i], update.facts->tail[kSamples]);
  }
  update.weights[i] = value;
  if (update.rounded != nullptr) update.rounded[i] = formula::to_bf16(value);
  if (update.average != nullptr) {
    update.average[i] = formula::moved_average(update.average[i], rule.average_part, value);
  }
}

}  // namespace lockstep::gpu
