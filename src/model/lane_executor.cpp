#include "lockstep/model/lane_executor.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "lockstep/core/error.h"
#include "lockstep/core/match.h"
#include "lockstep/model/instruction_set.h"
#include "lockstep/model/op_runner.h"
#include "model/loss.h"
#include "model/own_runners.h"
#include "model/reusing_allocator.h"

namespace lockstep {

at::Tensor make_activations(std::int64_t samples, const ImageShape& shape, at::ScalarType type) {
  return at::empty({samples, shape.height, shape.width, shape.channels}, type);
}

at::Tensor make_activations(const Pass& pass, const ImageShape& shape, at::ScalarType type) {
  return at::empty({pass.samples, shape.height, shape.width, shape.channels},
                   at::TensorOptions(type).device(pass.device));
}

at::Tensor view_floats(const Pass& pass, const float* data, at::IntArrayRef shape) {
  return at::from_blob(const_cast<float*>(data), shape,
                       at::TensorOptions(at::kFloat).device(pass.device));
}

const std::uint16_t* const_bits(const at::Tensor& x) {
  return reinterpret_cast<const std::uint16_t*>(x.const_data_ptr<at::BFloat16>());
}

std::uint16_t* bits(at::Tensor& x) {
  return reinterpret_cast<std::uint16_t*>(x.data_ptr<at::BFloat16>());
}

at::Tensor view_weights(const Pass& pass, ParameterId id, at::IntArrayRef shape,
                        at::ScalarType type) {
  if (type == at::kFloat) return view_floats(pass, pass.values(id), shape);
  if (type == at::kDouble) return view_floats(pass, pass.values(id), shape).to(type);
  return at::from_blob(const_cast<std::uint16_t*>(pass.rounded(id)), shape,
                       at::TensorOptions(type).device(pass.device));
}

std::unique_ptr<OpRunner> make_cpu_runner(const Op& op, const OpContext& context) {
  const auto own_or_torch = [&](std::unique_ptr<OpRunner> own, const auto& work) {
    return own != nullptr ? std::move(own) : make_torch_runner(work, context);
  };
  return std::visit(
      Match{
          [&](const ConvOp& conv) { return own_or_torch(make_own_conv(conv, context), conv); },
          [&](const DenseOp& dense) { return own_or_torch(make_own_dense(dense, context), dense); },
          [&](const NormOp& norm) { return make_norm(norm, context); },
          [&](const GroupNormOp& norm) { return make_own_group_norm(norm, context); },
          [&](const LayerNormOp& norm) { return make_own_layer_norm(norm, context); },
          [&](const GateOp& gate) { return make_gate(gate, context); },
          [&](const DropPathOp& drop) { return make_drop_path(drop, context); },
          [&](const auto& work) { return make_torch_runner(work, context); }},
      op.work);
}

at::ScalarType type_of(Precision precision) {
  return precision == Precision::kBf16 ? at::kBFloat16 : at::kFloat;
}

at::Tensor input_of(const Pass& pass, Precision precision) {
  const ImageShape& shape = pass.network.input();
  return view_floats(pass, pass.batch->images.data(),
                     {pass.samples, shape.height, shape.width, shape.channels})
      .to(type_of(precision));
}

struct LaneExecutor::State {
  const Network& network;
  Precision precision;
  PlanRunner ops;
  std::function<void(std::size_t op)> watch_backward = {};

  Pass pass(Mode mode, const Weights& weights, const Batch& batch) const {
    return {.mode = mode,
            .network = network,
            .device = at::kCPU,
            .weights = weights.values(),
            .rounded_weights = weights.rounded(),
            .samples = batch.size,
            .gradients = {},
            .statistics = {},
            .batch = &batch};
  }
};

LaneExecutor::LaneExecutor(const Network& network, Precision precision)
    : state_(std::make_unique<State>(
          State{network, precision, PlanRunner(network, precision, make_cpu_runner)})) {}

LaneExecutor::~LaneExecutor() = default;
LaneExecutor::LaneExecutor(LaneExecutor&&) noexcept = default;

LaneResult LaneExecutor::train(const Weights& weights, const Batch& batch,
                               const LaneContext& context, std::span<float> gradients,
                               std::span<float> statistics) {
  if (batch.size == 0) {
    std::fill(gradients.begin(), gradients.end(), 0.0F);
    std::fill(statistics.begin(), statistics.end(), 0.0F);
    return {};
  }
  const c10::InferenceMode no_autograd;
  Pass pass = state_->pass(Mode::kTrain, weights, batch);
  pass.gradients = gradients;
  pass.statistics = statistics;
  pass.context = &context;
  const auto begin = std::chrono::steady_clock::now();
  const at::Tensor logits = state_->ops.forward(pass, input_of(pass, state_->precision));
  at::Tensor d_logits = at::empty(logits.sizes(), at::kFloat);
  LaneResult result = cross_entropy(
      {logits.data_ptr<float>(), static_cast<std::size_t>(logits.numel())}, batch, context,
      {d_logits.data_ptr<float>(), static_cast<std::size_t>(d_logits.numel())});
  result.forward_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  state_->ops.watch(state_->watch_backward);
  state_->ops.backward(pass, std::move(d_logits));
  state_->ops.watch({});
  return result;
}

void LaneExecutor::watch_backward(std::function<void(std::size_t)> watch) {
  state_->watch_backward = std::move(watch);
}

void LaneExecutor::infer(const Weights& weights, const Batch& batch, std::span<float> logits) {
  if (batch.size == 0) return;
  const c10::InferenceMode no_autograd;
  const Pass pass = state_->pass(Mode::kInfer, weights, batch);
  const at::Tensor result = state_->ops.forward(pass, input_of(pass, state_->precision));
  std::copy_n(result.data_ptr<float>(), result.numel(), logits.begin());
}

bool has_bf16_instructions() { return instruction_set() >= InstructionSet::kAvx512Bf16; }

void prepare_worker_thread() {
  at::set_num_threads(1);
  use_reusing_allocator();
}

}  // namespace lockstep
