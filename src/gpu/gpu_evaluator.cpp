#include "lockstep/gpu/gpu_evaluator.h"

#include <c10/core/InferenceMode.h>

#include <utility>

#include "gpu/device.h"
#include "gpu/device_ops.h"
#include "lockstep/gpu/row_residence.h"

namespace lockstep {

struct GpuEvaluator::State {
  Accelerator& accelerator;
  const Network& network;
  Precision precision;
  at::Tensor factor;
  at::Tensor offset;
  PlanRunner ops;

  // The logits [samples * classes] of the rows that `batch` names.
  at::Tensor forward(const Pass& pass, gpu::FormBatch batch);
};

at::Tensor GpuEvaluator::State::forward(const Pass& pass, gpu::FormBatch batch) {
  const ImageShape& shape = network.input();
  at::Tensor images = make_activations(pass, shape, type_of(precision));
  batch.factor = factor.const_data_ptr<float>();
  batch.offset = offset.const_data_ptr<float>();
  batch.images = images.data_ptr();
  batch.height = shape.height;
  batch.width = shape.width;
  batch.channels = shape.channels;
  launch(accelerator, gpu::kFormBatch, {static_cast<unsigned>(pass.samples), 1, kBlockThreads},
         batch);
  return ops.forward(pass, std::move(images)).reshape({-1});
}

GpuEvaluator::GpuEvaluator(Accelerator& accelerator, const Network& network, Precision precision,
                           const Normalization& normalization, const EvaluationOptions& options)
    : Evaluator(network.classes(), options) {
  accelerator.load_kernels(precision);
  const auto floats = [&](const std::vector<float>& values) {
    return to_device<float>(accelerator, values, at::kFloat);
  };
  state_.reset(new State{accelerator, network, precision, floats(normalization.factor),
                         floats(normalization.offset),
                         make_device_ops(accelerator, network, precision, {})});
}

GpuEvaluator::~GpuEvaluator() = default;

std::vector<float> GpuEvaluator::logits(const Weights& weights, const RowShare& rows) {
  State& state = *state_;
  const c10::InferenceMode no_autograd;
  const ImageShape& shape = state.network.input();
  const auto on_device = [&](Range range) {
    const HeldPixels held = rows.pixels(range);
    const auto raw = held.raw();
    return to_device<std::uint8_t>(
        state.accelerator, std::span(reinterpret_cast<const std::uint8_t*>(raw.data()), raw.size()),
        at::kByte);
  };
  // All at once, unless they do not fit.
  const auto row_bytes = static_cast<std::int64_t>(bytes_of(rows.type)) * shape.pixels();
  const bool by_chunk =
      rows.mapped != nullptr ||
      residence_on(state.accelerator, static_cast<std::uint64_t>(rows.size() * row_bytes)) ==
          RowResidence::kStreamed;
  at::Tensor pixels;
  if (!by_chunk) pixels = on_device({0, rows.size()});
  const at::Tensor values = to_device<float>(state.accelerator, weights.values(), at::kFloat);
  const at::Tensor rounded = values.to(at::kBFloat16);
  Pass pass{.mode = Mode::kInfer,
            .network = state.network,
            .device = device_of(state.accelerator),
            .weights = {values.const_data_ptr<float>(), static_cast<std::size_t>(values.numel())},
            .rounded_weights = {reinterpret_cast<const std::uint16_t*>(
                                    rounded.const_data_ptr<at::BFloat16>()),
                                static_cast<std::size_t>(rounded.numel())},
            .samples = 0,
            .gradients = {},
            .statistics = {}};
  const std::int64_t classes = state.network.classes();
  at::Tensor logits = device_zeros(state.accelerator, rows.size() * classes, at::kFloat);
  for (std::int64_t chunk = 0; chunk < rows.chunks(); ++chunk) {
    const Range range = rows.chunk(chunk);
    pass.samples = static_cast<int>(range.size());
    if (by_chunk) pixels = on_device(range);
    const std::int64_t first_byte = by_chunk ? 0 : range.first * row_bytes;
    gpu::FormBatch batch{};
    batch.rows = pixels.const_data_ptr<std::uint8_t>() + first_byte;
    batch.floats = rows.type == PixelType::kFloat ? 1 : 0;
    at::Tensor of_chunk;
    for (const View& view : views()) {
      batch.shift = view.shift;
      batch.mirrors = view.mirrored ? 1 : 0;
      const at::Tensor of_view = state.forward(pass, batch).mul(view.part);
      of_chunk = of_chunk.defined() ? of_chunk.add(of_view) : of_view;
    }
    logits.slice(0, range.first * classes, range.last * classes).copy_(of_chunk);
  }
  const at::Tensor on_host = logits.cpu();
  const auto* first = on_host.const_data_ptr<float>();
  return {first, first + on_host.numel()};
}

}  // namespace lockstep
