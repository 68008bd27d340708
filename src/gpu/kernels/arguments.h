// The arguments of the kernels, as plain structs that the host fills in. Read by the
// host's compiler and by the one for GPUs, which knows no standard library: built-in
// types alone, pointers to memory of the device.
//
// `Value` is the activations' type, float or the upper half of its bits; tensors of
// activations are [samples, height, width, channels] or, as rows of channels,
// [rows, channels].
#pragma once

namespace lockstep::gpu {

// One sample of a lane in a step; made on the host, since it decides who trains on what.
struct Sample {
  unsigned long long number;  // of its row in the source: keys dropout
  long long slot;             // where its pixels lie among the lane's rows
  // Where output pixel (x, y) is taken from: (xx x + xy y + x0, -xy x + xx y + y0).
  float xx, xy, x0, y0;
  int label;
  int unused;
};

inline constexpr int kTailFloats = 16;  // a lane's loss, correct, samples, flags
inline constexpr int kStepFlags = 2;

// What an update is given beside the gradients.
struct StepRule {
  float learning_rate;
  float step_size;         // Adam: a / (1 - b1^t)
  float second_factor;     // Adam: 1 / (1 - b2^t)
  float keep;              // Adam: 1 - a decay
  float average_part;      // how far the moving average goes to the weights; 0: none
  float statistics_limit;  // most that is kept of the running statistics, 1 - 1/t
  float clip_norm;         // of the mean gradient; 0: none
  float flags[kStepFlags];
};

// What a step found; read by the host.
struct StepFacts {
  double square_norm;  // of the summed gradients
  float tail[kTailFloats];
  float gradient_factor;  // turns summed gradients into clipped means
  int applied;            // 0: a gradient is not finite, the weights stay
};

// Grid: a block a sample. Without `samples`, row i as it is.
struct FormBatch {
  const Sample* samples;
  const unsigned char* rows;  // [slots, height, width, channels]
  const float* factor;        // [channels], of the normalization
  const float* offset;        // [channels]
  void* images;               // Value [samples, height, width, channels]
  int height, width, channels;
  int augment;
};

// Softmax cross entropy with label smoothing; see model/loss.cpp. Grid: one block.
struct Loss {
  const float* logits;  // [samples, classes]
  float* d_logits;      // [samples, classes]
  float* by_sample;     // [samples, 2]: loss, correct
  float* tail;          // [kTailFloats]
  const Sample* samples;
  const StepRule* rule;
  int count;
  int classes;
  float smoothing;
};

// A sum along the tree over lanes: `program` in postfix order, kAdd or the index of a
// buffer. Grid: a thread an element.
struct AddAlongTree {
  const float* const* buffers;  // each [count]
  const int* program;
  int program_size;
  long long count;
  float* to;
};

inline constexpr int kAdd = -1;
inline constexpr int kDeepestTree = 32;

// Sums of squares of blocks of kSquareBlock values. Grid: a block each.
struct Squares {
  const float* values;
  double* by_block;
  long long count;
};

inline constexpr int kSquareBlock = 4096;

// From the sum to what the update needs. Grid: one block.
struct FinishSum {
  const double* squares;
  const float* tail;
  const StepRule* rule;
  StepFacts* facts;
  int blocks;
};

// The optimizer's pass and that of the running statistics behind it. Grid: a thread a
// weight.
struct Update {
  const float* sum;
  const StepFacts* facts;
  const StepRule* rule;
  const float* momentum;    // [total - trainable], of the running statistics
  float* weights;           // [total]
  unsigned short* rounded;  // [total], or null
  float* average;           // [total], or null
  float* first;             // [trainable]; SGD's momentum
  float* second;            // [trainable]; null: SGD
  long long trainable;
  long long total;
  float beta1, beta2, epsilon;    // Adam
  float sgd_momentum, sgd_decay;  // SGD
  int nesterov;
};

}  // namespace lockstep::gpu
