// Relu, batch norm, relu, dropout; batch norm, sum, relu. Sums over rows go in two passes of one
// fixed shape: a block adds a chunk of rows for 32 channels, a second kernel adds the chunks.
#pragma once

#include "gpu/kernels/common.cuh"

namespace lockstep::gpu {

constexpr int kRowLanes = kThreads / kNormTile;

struct TwoSums {
  double first;
  double second;
};

// The sums over the block's row lanes, in order, for row lane 0.
__device__ inline TwoSums sum_of_row_lanes(TwoSums mine) {
  __shared__ double first[kRowLanes][kNormTile];
  __shared__ double second[kRowLanes][kNormTile];
  const int row_lane = threadIdx.x / kNormTile;
  const int c = threadIdx.x % kNormTile;
  first[row_lane][c] = mine.first;
  second[row_lane][c] = mine.second;
  __syncthreads();
  TwoSums sums = {0, 0};
  if (row_lane == 0) {
    for (int i = 0; i < kRowLanes; ++i) {
      sums.first += first[i][c];
      sums.second += second[i][c];
    }
  }
  __syncthreads();
  return sums;
}

__device__ inline int channel_of_thread() {
  return blockIdx.x * kNormTile + threadIdx.x % kNormTile;
}

// add(place, first, second) adds one element of this thread's channel to its sums.
template <typename Add>
__device__ inline void sum_chunk(const Norm& norm, Add add) {
  const int c = channel_of_thread();
  const long long begin = static_cast<long long>(blockIdx.y) * norm.chunk_rows;
  const long long end = begin + norm.chunk_rows < norm.rows ? begin + norm.chunk_rows : norm.rows;
  float first = 0;
  float second = 0;
  if (c < norm.channels) {
    for (long long row = begin + threadIdx.x / kNormTile; row < end; row += kRowLanes) {
      add(row * norm.channels + c, c, first, second);
    }
  }
  const TwoSums mine = {first, second};
  const TwoSums sums = sum_of_row_lanes(mine);
  if (threadIdx.x < kNormTile && c < norm.channels) {
    double* to = norm.partial + (static_cast<long long>(blockIdx.y) * norm.channels + c) * 2;
    to[0] = sums.first;
    to[1] = sums.second;
  }
}

// The sums over all chunks of this thread's channel, for row lane 0.
__device__ inline TwoSums sum_chunks(const Norm& norm) {
  const int c = channel_of_thread();
  TwoSums mine = {0, 0};
  if (c < norm.channels) {
    for (int chunk = threadIdx.x / kNormTile; chunk < norm.chunks; chunk += kRowLanes) {
      const double* from = norm.partial + (static_cast<long long>(chunk) * norm.channels + c) * 2;
      mine.first += from[0];
      mine.second += from[1];
    }
  }
  return sum_of_row_lanes(mine);
}

// The gradient at the batch norm's output, from that of the op's output.
__device__ inline float inner_gradient(const Norm& norm, long long at, int c, float input) {
  if (norm.passed != nullptr) {
    const float out = load(norm.y, at);
    return out > 0 && out < norm.relu_limit ? load(norm.dy, at) : 0.0F;
  }
  if (is_dropped(norm.dropout, at)) return 0;
  const float d = load(norm.dy, at) * norm.dropout.keep_scale;
  const float inner = norm.factor[c] * input + norm.offset[c];
  const bool shut = norm.relu_after != 0 && !(inner > 0 && inner < norm.relu_limit);
  return shut ? 0.0F : d;
}

// Grid: (tiles of channels, chunks).
LOCKSTEP_KERNEL norm_moments(const Norm norm) {
  sum_chunk(norm, [&](long long at, int, float& sum, float& square) {
    const float value = relu_if(norm.relu_before != 0, load(norm.x, at));
    sum += value;
    square += value * value;
  });
}

// Grid: tiles of channels. When not training, of the running statistics.
LOCKSTEP_KERNEL norm_finish(const Norm norm) {
  const TwoSums sums = norm.training != 0 ? sum_chunks(norm) : TwoSums{0, 0};
  const int c = channel_of_thread();
  if (threadIdx.x >= kNormTile || c >= norm.channels) return;
  float mean = norm.running_mean[c];
  float variance = norm.running_variance[c];
  if (norm.training != 0) {
    formula::moments(sums.first, sums.second, static_cast<double>(norm.rows), mean, variance);
    const float samples = static_cast<float>(norm.samples);
    norm.mean_statistic[c] = samples * mean;
    norm.variance_statistic[c] =
        samples * formula::unbiased(static_cast<float>(norm.rows)) * variance;
  }
  norm.mean[c] = mean;
  norm.variance[c] = variance;
  norm.factor[c] = norm.scale[c] * formula::inverse_deviation(variance, norm.epsilon);
  norm.offset[c] = norm.shift[c] - mean * norm.factor[c];
}

// Grid: a thread an element.
LOCKSTEP_KERNEL norm_forward(const Norm norm) {
  const long long at = thread_number();
  if (at >= norm.rows * norm.channels) return;
  const int c = static_cast<int>(at % norm.channels);
  const float input = relu_if(norm.relu_before != 0, load(norm.x, at));
  float value = norm.factor[c] * input + norm.offset[c];
  if (norm.added != nullptr) value += load(norm.added, at);
  value = relu_if(norm.relu_after != 0, value);
  if (norm.relu_after != 0) value = at_most(norm.relu_limit, value);
  store(norm.out, at, is_dropped(norm.dropout, at) ? 0.0F : value * norm.dropout.keep_scale);
}

// Grid: (tiles of channels, chunks).
LOCKSTEP_KERNEL norm_sums(const Norm norm) {
  sum_chunk(norm, [&](long long at, int c, float& sum_d, float& sum_dx) {
    const float input = relu_if(norm.relu_before != 0, load(norm.x, at));
    const float d = inner_gradient(norm, at, c, input);
    if (norm.passed != nullptr) store(norm.passed, at, d);
    sum_d += d;
    sum_dx += d * input;
  });
}

// Grid: tiles of channels.
LOCKSTEP_KERNEL norm_gradients(const Norm norm) {
  const TwoSums sums = sum_chunks(norm);
  const int c = channel_of_thread();
  if (threadIdx.x >= kNormTile || c >= norm.channels) return;
  const float sum_d = static_cast<float>(sums.first);
  const float sum_dx = static_cast<float>(sums.second);
  const float inverse = formula::inverse_deviation(norm.variance[c], norm.epsilon);
  const NormGradients found = formula::norm_gradients(norm.factor[c], inverse, norm.mean[c], sum_d,
                                                      sum_dx, static_cast<float>(norm.rows));
  if (norm.scale_gradient != nullptr) norm.scale_gradient[c] = found.scale;
  if (norm.shift_gradient != nullptr) norm.shift_gradient[c] = sum_d;
  norm.kd[c] = found.kd;
  norm.kx[c] = found.kx;
  norm.k1[c] = found.k1;
}

// Grid: a thread an element.
LOCKSTEP_KERNEL norm_backward(const Norm norm) {
  const long long at = thread_number();
  if (at >= norm.rows * norm.channels) return;
  const int c = static_cast<int>(at % norm.channels);
  const float raw = load(norm.x, at);
  const float input = relu_if(norm.relu_before != 0, raw);
  const float d = inner_gradient(norm, at, c, input);
  const float value = norm.kd[c] * d + norm.kx[c] * input + norm.k1[c];
  store(norm.out, at, norm.relu_before != 0 && !(raw > 0) ? 0.0F : value);
}

}  // namespace lockstep::gpu
