// The arguments of the kernels, as plain structs that the host fills in. Read by the
// host's compiler and by the one for GPUs, which knows no standard library: built-in
// types alone, pointers to memory of the device.
//
// `Value` is the activations' type, float or the upper half of its bits; tensors of
// activations are [samples, height, width, channels], or [rows, channels] of pixels.
#pragma once

#include "gpu/kernels/sum_arguments.h"
#include "lockstep/core/image_formulas.h"
#include "lockstep/core/learning_formulas.h"
#include "lockstep/core/loss_formulas.h"
#include "lockstep/parallel/step_tail.h"

namespace lockstep::gpu {

inline constexpr int kThreads = 256;  // of a block, in every kernel

// One sample of a lane in a step; made on the host, since it decides who trains on what.
struct Sample {
  unsigned long long number;  // of its row in the source: keys dropout
  long long slot;             // where its pixels lie among the lane's rows
  SourceMap map;              // of the augmentation, as are these
  ImageChange change;
  ImageMix mix;
  int label;
  int other_label;  // of what is mixed in
};

// What an update is given beside the gradients.
struct StepRule {
  float learning_rate;
  AdamStep adam;
  float average_part;      // how far the moving average goes to the weights; 0: none
  float statistics_limit;  // most that is kept of the running statistics not taken, 1 - 1/t
  float clip_norm;         // of the mean gradient; 0: none
  float flags[kFlags];
};

// What a step found; read by the host.
struct StepFacts {
  double square_norm;  // of the summed gradients
  float tail[kTailSize];
  float gradient_factor;  // turns summed gradients into clipped means
  int applied;            // 0: a gradient is not finite, the weights stay
};

// Grid: a block a sample. Without `samples`, row i as it is.
struct FormBatch {
  const Sample* samples;
  const void* rows;     // bytes or floats [slots, height, width, channels]
  const float* factor;  // [channels], of the normalization
  const float* offset;  // [channels]
  void* images;         // Value [samples, height, width, channels]
  const float* mean;    // [channels], what images are erased to; null where none is
  int height, width, channels;
  int floats;   // rows are floats
  int moves;    // by the samples' maps
  int changes;  // by what samples say at all
  int tones;
  int mixes;
  int mirrors, shift;     // without changes: as View has it
  float lowest, highest;  // values; the lowest is outside of images
};

// Softmax cross entropy. Grid: one block.
struct Loss {
  const float* logits;  // [samples, classes]
  float* d_logits;      // [samples, classes]
  float* by_sample;     // [samples, 3]: loss, correct, weight
  float* tail;          // [kTailSize]
  const Sample* samples;
  const StepRule* rule;
  const float* class_weights;  // [classes], or null
  int count, classes;
  float smoothing;
};

// From the sum to what the update needs. Grid: one block.
struct FinishSum {
  const double* squares;
  const float* tail;
  const StepRule* rule;
  StepFacts* facts;
  int blocks;
};

// Neighbouring weights that are updated alike; see train/update_parts.h.
struct Part {
  long long last;  // up to this one, without it
  float rate_factor;
  float decay;
  float scale;                  // of a matrix' orthogonal direction
  int adapted;                  // has a trust ratio
  int matrix;                   // is orthogonalized
  int first_block, last_block;  // of the blocks for its norms
};

// Of a part, at most kRatioBlock weights.
struct Block {
  long long first, last;
  int part;
};

// The optimizer's pass and that of the running statistics behind it. Grid: a thread a
// weight; to measure blocks, a block each; for trust ratios, a block a part.
struct Update {
  const float* sum;
  const StepFacts* facts;
  const StepRule* rule;
  const float* momentum;    // [changing - trainable], of the running statistics
  const float* taken;       // [changing - trainable], 1: of a running statistic that a file gave
  float* weights;           // [changing]
  unsigned short* rounded;  // [changing], or null
  float* average;           // [changing], or null
  float* first;             // [trainable], the optimizer's first buffer
  float* second;            // [trainable], or null: the second one
  float* direction;         // [trainable], or null: of matrices
  const Part* parts;        // [part_count], ascending
  const Block* blocks;      // of all parts; of LAMB and LARS
  double* squares;          // [blocks, 2]: of weights, and of directions or gradients
  float* ratios;            // [part_count]
  long long trainable;
  long long changing;
  int part_count;
  UpdateKind kind;
  AdamConstants adam;
  SgdConstants sgd;
  float trust;  // LARS's coefficient; else 1
};

}  // namespace lockstep::gpu
