// Executes one op of a network for one lane: forward, then backward. Internal to
// the model room; this is where LibTorch is used.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/core/philox.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/model/network.h"
#include "lockstep/model/weights.h"
#include "model/op.h"

namespace lockstep {

enum class Mode { kTrain, kInfer };

// What all ops of one pass share.
struct Pass {
  Mode mode;
  const Network& network;
  const Weights& weights;
  const Batch& batch;
  const LaneContext& context;
  std::span<float> gradients;   // empty when inferring
  std::span<float> statistics;  // empty when inferring

  const float* values(const Range& range) const { return weights.values().data() + range.first; }
  const std::uint16_t* rounded(const Range& range) const {
    return weights.rounded().data() + range.first;
  }
  float* gradient(const Range& range) const { return gradients.data() + range.first; }
  float* statistic(const Range& range) const {
    return statistics.data() + (range.first - network.trainable_size());
  }
};

// Whether an op must give the gradient of its input; the first one need not.
enum class InputGradient { kNeeded, kUnused };

class OpRunner {
 public:
  virtual ~OpRunner() = default;

  // `x` is [samples, height, width, channels]; keeps what backward() needs when
  // training.
  virtual at::Tensor forward(const Pass& pass, at::Tensor x) = 0;

  // From the gradient of the output to that of the input; writes the gradients of
  // the op's parameters into the pass. Undefined when the input's is unused.
  virtual at::Tensor backward(const Pass& pass, at::Tensor dy) = 0;
};

// `type` of the activations: kFloat or kBFloat16.
std::unique_ptr<OpRunner> make_conv(const Op& op, at::ScalarType type, InputGradient input);
std::unique_ptr<OpRunner> make_dense(const Op& op, at::ScalarType type, InputGradient input);
// The last dense layer: fp32 in every precision, gives fp32 logits.
std::unique_ptr<OpRunner> make_logits(const Op& op, at::ScalarType type, InputGradient input);
std::unique_ptr<OpRunner> make_norm(const Op& op, at::ScalarType type);
std::unique_ptr<OpRunner> make_gate(const Op& op, at::ScalarType type);
std::unique_ptr<OpRunner> make_activation(const Op& op);

// The runners of all ops of a network.
std::vector<std::unique_ptr<OpRunner>> make_runners(const Network& network, Precision precision);

// The batch's images [samples, height, width, channels] in that precision.
at::Tensor input_of(const Pass& pass, Precision precision);

// An uninitialized [samples, shape] tensor.
at::Tensor make_activations(std::int64_t samples, const ImageShape& shape, at::ScalarType type);

// `range` of the weights in the precision of activations of `type`, not copied.
at::Tensor view_weights(const Pass& pass, const Range& range, at::IntArrayRef shape,
                        at::ScalarType type);
at::Tensor view_floats(const float* data, at::IntArrayRef shape);

// The bits of a bf16 tensor.
const std::uint16_t* const_bits(const at::Tensor& x);
std::uint16_t* bits(at::Tensor& x);

}  // namespace lockstep
