// Runs a network forward and backward for one lane at a time. Owned by one
// worker and used by its thread alone; keeps that lane's activations until the
// backward pass is done. Every result is a function of the arguments alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "lockstep/core/batch.h"
#include "lockstep/model/network.h"
#include "lockstep/model/weights.h"

namespace lockstep {

// What keys a lane's dropout masks, beside row, layer and element.
struct LaneContext {
  std::uint64_t seed = 0;
  int epoch = 0;
  float label_smoothing = 0;
  std::span<const float> class_weights = {};  // [classes]; empty: 1 each
};

struct LaneResult {
  float loss_sum = 0;          // cross entropy with natural logarithms, summed over samples
  float correct = 0;           // samples whose largest logit is the (heavier) label's
  float weight = 0;            // of the samples in the mean loss: their number, or by class
  double forward_seconds = 0;  // of the pass, the loss included
};

class LaneExecutor {
 public:
  LaneExecutor(const Network& network, Precision precision);
  ~LaneExecutor();
  LaneExecutor(LaneExecutor&&) noexcept;

  // One forward and backward pass. Writes `gradients` [network.trainable_size()],
  // sums over samples, and `statistics` [network.statistics_size()], the lane's
  // normalization statistics times its samples. All zero for an empty batch.
  LaneResult train(const Weights& weights, const Batch& batch, const LaneContext& context,
                   std::span<float> gradients, std::span<float> statistics);

  // Called by train() after each op of the backward pass with its number in the plan, by which
  // the gradients of its parameters are written. Not for an empty batch.
  void watch_backward(std::function<void(std::size_t op)> watch);

  // Logits [batch.size, classes] with running statistics and without dropout.
  void infer(const Weights& weights, const Batch& batch, std::span<float> logits);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Whether this processor computes in bf16 (AVX512-BF16). Elsewhere oneDNN emulates
// it, several times slower than fp32.
bool has_bf16_instructions();

// What LibTorch needs on every worker's thread: one thread an operation; and,
// once a process, an allocator that reuses memory. Every worker calls it once.
void prepare_worker_thread();

}  // namespace lockstep
