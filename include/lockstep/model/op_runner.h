// Executes the ops of a network for one lane: forward, then backward. For the rooms that
// compute, on the CPU (model) or on a GPU (gpu); this is where LibTorch is used.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/core/philox.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/model/network.h"
#include "lockstep/model/pass.h"
#include "lockstep/model/plan.h"
#include "lockstep/model/weights.h"

namespace lockstep {

// Whether an op must give the gradients of its inputs; what stands before all that is trained need
// not.
enum class InputGradient { kNeeded, kUnused };

using Tensors = std::vector<at::Tensor>;

class OpRunner {
 public:
  virtual ~OpRunner() = default;

  // Inputs and output are [samples, height, width, channels]; keeps what backward_all() needs
  // when training, and changes no input.
  virtual at::Tensor forward_all(const Pass& pass, Tensors inputs) = 0;

  // From the gradient of the output to those of the inputs; writes the gradients of
  // the op's parameters into the pass. Undefined where an input's is unused.
  virtual Tensors backward_all(const Pass& pass, at::Tensor dy) = 0;
};

// Of an op of one input.
class UnaryRunner : public OpRunner {
 public:
  at::Tensor forward_all(const Pass& pass, Tensors inputs) final {
    return forward(pass, std::move(inputs.front()));
  }
  Tensors backward_all(const Pass& pass, at::Tensor dy) final {
    return {backward(pass, std::move(dy))};
  }

  virtual at::Tensor forward(const Pass& pass, at::Tensor x) = 0;
  virtual at::Tensor backward(const Pass& pass, at::Tensor dy) = 0;
};

// What a runner needs to know beside its op's work.
struct OpContext {
  ImageShape in;  // of the first input
  ImageShape out;
  at::ScalarType type;  // of the activations: kFloat, kBFloat16, or kDouble in tests
  InputGradient input;
  bool gives_logits;  // which are computed and given in fp32
};

// By LibTorch's explicit forward and backward, on any device and in every precision; in the
// source named after the op.
template <typename Work>
std::unique_ptr<OpRunner> make_torch_runner(const Work& work, const OpContext& context);

using MakeRunner = std::function<std::unique_ptr<OpRunner>(const Op& op, const OpContext& context)>;

// The runners of all ops of a network. Values live until their last use.
class PlanRunner {
 public:
  PlanRunner(const Network& network, Precision precision, const MakeRunner& make);

  // From the images [samples, height, width, channels] to the logits [samples, classes].
  at::Tensor forward(const Pass& pass, at::Tensor images);
  void backward(const Pass& pass, at::Tensor d_logits);

  // Called by both, if given, after each op, with its number in the plan.
  using Watch = std::function<void(std::size_t op)>;
  void watch(Watch watch) { watch_ = std::move(watch); }

 private:
  at::Tensor run(const Pass& pass, std::size_t op);

  const Network& network_;
  std::vector<std::unique_ptr<OpRunner>> runners_;   // by op
  std::vector<std::vector<std::size_t>> last_used_;  // by op: the values that no later op uses
  std::vector<std::uint8_t> needs_gradient_;         // by value
  Tensors values_;                                   // of the pass under way, by value
  Watch watch_;
};

// On the CPU: by our own kernels where they are for such an op and this processor.
std::unique_ptr<OpRunner> make_cpu_runner(const Op& op, const OpContext& context);

// The batch's images [samples, height, width, channels] in that precision.
at::Tensor input_of(const Pass& pass, Precision precision);

at::ScalarType type_of(Precision precision);

// An uninitialized [samples, shape] tensor.
at::Tensor make_activations(std::int64_t samples, const ImageShape& shape, at::ScalarType type);
at::Tensor make_activations(const Pass& pass, const ImageShape& shape, at::ScalarType type);

// A parameter in the precision of activations of `type`, not copied but for kDouble.
at::Tensor view_weights(const Pass& pass, ParameterId id, at::IntArrayRef shape,
                        at::ScalarType type);
at::Tensor view_floats(const Pass& pass, const float* data, at::IntArrayRef shape);

// The bits of a bf16 tensor.
const std::uint16_t* const_bits(const at::Tensor& x);
std::uint16_t* bits(at::Tensor& x);

}  // namespace lockstep
