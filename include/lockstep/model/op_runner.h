// Executes the ops of a network for one lane: forward, then backward. For the rooms that
// compute, on the CPU (model) or on a GPU (gpu); this is where LibTorch is used.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/core/philox.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/model/network.h"
#include "lockstep/model/op.h"
#include "lockstep/model/weights.h"

namespace lockstep {

enum class Mode { kTrain, kInfer };

// What all ops of one pass share.
struct Pass {
  Mode mode;
  const Network& network;
  at::Device device;               // where all memory below lies, but for the batch and its context
  std::span<const float> weights;  // [network.total_size()]
  std::span<const std::uint16_t> rounded_weights;  // likewise; empty in fp32
  int samples;
  std::span<float> gradients;            // empty when inferring
  std::span<float> statistics;           // empty when inferring
  const Batch* batch = nullptr;          // on the CPU
  const LaneContext* context = nullptr;  // on the CPU

  const float* values(const Range& range) const { return weights.data() + range.first; }
  const std::uint16_t* rounded(const Range& range) const {
    return rounded_weights.data() + range.first;
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
// By LibTorch alone, on any device.
std::unique_ptr<OpRunner> make_torch_conv(const Op& op, at::ScalarType type, InputGradient input);
std::unique_ptr<OpRunner> make_torch_dense(const Op& op, at::ScalarType type, InputGradient input);
// The last dense layer: fp32 in every precision, gives fp32 logits.
std::unique_ptr<OpRunner> make_logits(const Op& op, at::ScalarType type, InputGradient input);
std::unique_ptr<OpRunner> make_norm(const Op& op, at::ScalarType type);
std::unique_ptr<OpRunner> make_gate(const Op& op, at::ScalarType type);
std::unique_ptr<OpRunner> make_activation(const Op& op);

// Makes the runner of one op; `last`: its output is the logits.
enum class Position { kInner, kLast };
using MakeRunner = std::function<std::unique_ptr<OpRunner>(const Op& op, at::ScalarType type,
                                                           InputGradient input, Position position)>;

// The runners of all ops of a network, one after the other.
class OpChain {
 public:
  OpChain(const Network& network, Precision precision, const MakeRunner& make);

  // From the images [samples, height, width, channels] to the logits [samples, classes].
  at::Tensor forward(const Pass& pass, at::Tensor x);
  void backward(const Pass& pass, at::Tensor d_logits);

  std::span<const std::unique_ptr<OpRunner>> runners() const { return runners_; }

 private:
  const Network& network_;
  std::vector<std::unique_ptr<OpRunner>> runners_;
};

// On the CPU.
std::unique_ptr<OpRunner> make_cpu_runner(const Op& op, at::ScalarType type, InputGradient input,
                                          Position position);

// The batch's images [samples, height, width, channels] in that precision.
at::Tensor input_of(const Pass& pass, Precision precision);

at::ScalarType type_of(Precision precision);

// An uninitialized [samples, shape] tensor.
at::Tensor make_activations(std::int64_t samples, const ImageShape& shape, at::ScalarType type);
at::Tensor make_activations(const Pass& pass, const ImageShape& shape, at::ScalarType type);

// `range` of the weights in the precision of activations of `type`, not copied.
at::Tensor view_weights(const Pass& pass, const Range& range, at::IntArrayRef shape,
                        at::ScalarType type);
at::Tensor view_floats(const Pass& pass, const float* data, at::IntArrayRef shape);

// The bits of a bf16 tensor.
const std::uint16_t* const_bits(const at::Tensor& x);
std::uint16_t* bits(at::Tensor& x);

}  // namespace lockstep
