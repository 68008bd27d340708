// The rest of a step before its update: batches, the loss and the sum over lanes.
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
                : batch.lowest;
}

__device__ inline float moved_pixel(const FormBatch& batch, long long row, const SourceMap& map,
                                    int x, int y, int c) {
  const PixelPlace at = formula::source_of(map, batch.width, batch.height, x, y);
  return formula::bilinear(at, pixel_at(batch, row, at.left - 1, at.top - 1, c),
                           pixel_at(batch, row, at.left, at.top - 1, c),
                           pixel_at(batch, row, at.left - 1, at.top, c),
                           pixel_at(batch, row, at.left, at.top, c));
}

// Value c at (x, y) of a sample before anything is mixed into it, normalized.
__device__ inline float formed_value(const FormBatch& batch, const Sample& sample, int x, int y,
                                     int c) {
  const long long row =
      sample.slot * (static_cast<long long>(batch.height) * batch.width * batch.channels);
  const ImageChange& change = sample.change;
  float value;
  if (batch.mean != nullptr && formula::contains(change.erased, x, y)) {
    value = batch.mean[c];
  } else {
    const int from_x = formula::shown_column(change, batch.width, x);
    const int from_y = y + change.crop_y;
    value = batch.moves != 0 ? moved_pixel(batch, row, sample.map, from_x, from_y, c)
                             : pixel_at(batch, row, from_x, from_y, c);
    if (batch.tones != 0) value = formula::toned(change, batch.lowest, batch.highest, value);
  }
  return value * batch.factor[c] + batch.offset[c];
}

__device__ inline float mixed_value(const FormBatch& batch, const Sample& sample, int x, int y,
                                    int c) {
  const float own = formed_value(batch, sample, x, y, c);
  const ImageMix& mix = sample.mix;
  const bool pasted = formula::contains(mix.pasted, x, y);
  if (batch.mixes == 0 || (!pasted && mix.part == 1)) return own;
  const float other = formed_value(batch, batch.samples[mix.partner], x, y, c);
  return pasted ? other : formula::mixed(mix.part, own, other);
}

// The nearest place in [0, size).
__device__ inline int moved_into(int size, int place) {
  return place < 0 ? 0 : place >= size ? size - 1 : place;
}

// Where nothing but the evaluation asks, row i is sample i.
__device__ inline float plain_value(const FormBatch& batch, int x, int y, int c) {
  const long long row = batch.samples == nullptr ? blockIdx.x : batch.samples[blockIdx.x].slot;
  const int shown_x = batch.mirrors != 0 ? batch.width - 1 - x : x;
  const int from_x = moved_into(batch.width, shown_x + batch.shift);
  const long long line = row * batch.height + moved_into(batch.height, y + batch.shift);
  const float value = pixel_value(batch, (line * batch.width + from_x) * batch.channels + c);
  return value * batch.factor[c] + batch.offset[c];
}

LOCKSTEP_KERNEL form_batch(const FormBatch batch) {
  const int pixels = batch.height * batch.width * batch.channels;
  for (int i = threadIdx.x; i < pixels; i += kThreads) {
    const int c = i % batch.channels;
    const int x = i / batch.channels % batch.width;
    const int y = i / batch.channels / batch.width;
    const float value = batch.changes != 0 ? mixed_value(batch, batch.samples[blockIdx.x], x, y, c)
                                           : plain_value(batch, x, y, c);
    store(batch.images, static_cast<long long>(blockIdx.x) * pixels + i, value);
  }
}

__device__ inline void lose(const Loss& loss, int n) {
  const long long row = static_cast<long long>(n) * loss.classes;
  const Sample& sample = loss.samples[n];
  const SampleLabels labels = {sample.label, sample.other_label, sample.mix.label_part};
  const LossRule rule = {loss.smoothing, loss.class_weights};
  double sum = 0;
  const int largest = formula::cross_entropy(loss.logits + row, loss.classes, labels, rule,
                                             loss.d_logits + row, sum);
  loss.by_sample[3 * n] = static_cast<float>(sum);
  loss.by_sample[3 * n + 1] = formula::is_correct(labels, largest) ? 1.0F : 0.0F;
  loss.by_sample[3 * n + 2] = formula::loss_weight(labels, loss.class_weights);
}

LOCKSTEP_KERNEL cross_entropy(const Loss loss) {
  for (int n = threadIdx.x; n < loss.count; n += kThreads) lose(loss, n);
  __syncthreads();
  if (threadIdx.x != 0) return;
  double sum = 0;
  double weight = 0;
  float correct = 0;
  for (int n = 0; n < loss.count; ++n) {
    sum += loss.by_sample[3 * n];
    correct += loss.by_sample[3 * n + 1];
    weight += loss.by_sample[3 * n + 2];
  }
  for (int i = 0; i < kTailSize; ++i) loss.tail[i] = 0;
  loss.tail[kLoss] = static_cast<float>(sum);
  loss.tail[kCorrect] = correct;
  loss.tail[kSamples] = static_cast<float>(loss.count);
  loss.tail[kLossWeight] = static_cast<float>(weight);
  for (int flag = 0; flag < kFlags; ++flag) loss.tail[kFirstFlag + flag] = loss.rule->flags[flag];
}

LOCKSTEP_KERNEL add_along_tree(const AddAlongTree tree) {
  const long long at = thread_number();
  if (at >= tree.count) return;
  const bool rounds = at < tree.rounded;
  float stack[kDeepestTree];
  int depth = 0;
  for (int i = 0; i < tree.program_size; ++i) {
    const int step = tree.program[i];
    float value;
    if (step == kAdd) {
      depth -= 2;
      value = stack[depth] + stack[depth + 1];
    } else {
      value = tree.buffers[step][at];
    }
    stack[depth++] = rounds ? formula::from_bf16(formula::to_bf16(value)) : value;
  }
  tree.to[at] = stack[0];
}

LOCKSTEP_KERNEL pack(const Packed packed) {
  const long long at = thread_number();
  if (at < packed.count) packed.bits[at] = formula::to_bf16(packed.values[at]);
}

LOCKSTEP_KERNEL unpack(const Packed packed) {
  const long long at = thread_number();
  if (at < packed.count) packed.values[at] = formula::from_bf16(packed.bits[at]);
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
      formula::gradient_factor(square_norm, finish.tail[kLossWeight], finish.rule->clip_norm);
  facts->applied = isfinite(square_norm) ? 1 : 0;
}

}  // namespace lockstep::gpu
