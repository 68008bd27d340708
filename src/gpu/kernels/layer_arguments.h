// The arguments of the layers' kernels; see arguments.h.
#pragma once

#include "gpu/kernels/arguments.h"

namespace lockstep::gpu {

// The form of dropout: `key` is null without. An element is dropped when its random
// byte is below `below`.
struct Dropout {
  const unsigned* key;  // [2], of the layer in this epoch
  const Sample* samples;
  long long elements;  // of a sample
  int below;
  float keep_scale;
};

inline constexpr int kNormTile = 32;  // channels of a block of threads

// Batch norm with relus, dropout and the sum with another input; see model/norm.cpp for the
// formulas.
struct Norm {
  const void* x;   // Value [rows, channels]
  const void* dy;  // Value, backward
  void* out;       // Value: y, or dx
  // Of a sum, or null: Value, what is added; in the sums of the backward pass y, and the gradient
  // past the relu of the sum, which is made there.
  const void* added;
  const void* y;
  void* passed;
  double* partial;  // [chunks, channels, 2]
  float* mean;      // [channels] each:
  float* variance;
  float* factor;
  float* offset;
  float* kd;
  float* kx;
  float* k1;
  const float* scale;
  const float* shift;
  const float* running_mean;
  const float* running_variance;
  float* scale_gradient;
  float* shift_gradient;
  float* mean_statistic;
  float* variance_statistic;
  long long rows;
  int channels;
  int chunk_rows;
  int chunks;
  int samples;
  float epsilon;
  int relu_before;
  int relu_after;
  float relu_limit;
  int training;
  Dropout dropout;
};

// Relu, max pool, dropout; see model/gate.cpp.
struct Gate {
  const void* in;       // Value: x, or dy
  void* out;            // Value: y, or dx
  unsigned char* code;  // [outputs]: the place in the window that won, or kClosed
  int samples;
  int height, width, channels;
  int out_height, out_width;
  int size, stride, padding;
  int relu;
  Dropout dropout;
};

}  // namespace lockstep::gpu
