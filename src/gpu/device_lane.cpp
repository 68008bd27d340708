#include "gpu/device_lane.h"

#include "gpu/device.h"

namespace lockstep {

DeviceLane::DeviceLane(const LaneSettings& settings, const void* rows, const DropoutSource& dropout)
    : settings_(settings),
      rows_(rows),
      dropout_(dropout),
      ops_(make_device_ops(settings.accelerator, settings.network, settings.precision, dropout)) {}

at::Tensor DeviceLane::form_batch(const Pass& pass) const {
  const ImageShape& shape = settings_.network.input();
  at::Tensor images = make_activations(pass, shape, type_of(settings_.precision));
  const auto* factor = settings_.normalization.const_data_ptr<float>();
  launch(settings_.accelerator, gpu::kFormBatch,
         {static_cast<unsigned>(pass.samples), 1, kBlockThreads},
         gpu::FormBatch{.samples = dropout_.samples,
                        .rows = rows_,
                        .factor = factor,
                        .offset = factor + shape.channels,
                        .images = images.data_ptr(),
                        .height = shape.height,
                        .width = shape.width,
                        .channels = shape.channels,
                        .augment = settings_.augments ? 1 : 0,
                        .floats = settings_.pixel_type == PixelType::kFloat ? 1 : 0,
                        .outside = settings_.outside});
  return images;
}

void DeviceLane::run(std::int64_t samples, const DeviceReplica& replica, std::span<float> sums) {
  const Network& network = settings_.network;
  const auto trainable = static_cast<std::size_t>(network.trainable_size());
  const auto total = static_cast<std::size_t>(network.total_size());
  const Pass pass{.mode = Mode::kTrain,
                  .network = network,
                  .device = device_of(settings_.accelerator),
                  .weights = replica.weights(),
                  .rounded_weights = replica.rounded_weights(),
                  .samples = static_cast<int>(samples),
                  .gradients = sums.first(trainable),
                  .statistics = sums.subspan(trainable, total - trainable)};
  gpu::Loss loss{.logits = nullptr,
                 .d_logits = nullptr,
                 .by_sample = nullptr,
                 .tail = sums.data() + total,
                 .samples = dropout_.samples,
                 .rule = settings_.rule,
                 .count = pass.samples,
                 .classes = network.classes(),
                 .smoothing = settings_.label_smoothing};
  const Grid one_block{1, 1, kBlockThreads};
  if (samples == 0) {
    view_floats(pass, sums.data(), {network.total_size()}).zero_();
    launch(settings_.accelerator, gpu::kCrossEntropy, one_block, loss);
    return;
  }
  const at::Tensor logits = ops_.forward(pass, form_batch(pass)).contiguous();
  at::Tensor d_logits = at::empty(logits.sizes(), logits.options());
  const at::Tensor by_sample = at::empty({samples, 2}, logits.options());
  loss.logits = logits.const_data_ptr<float>();
  loss.d_logits = d_logits.data_ptr<float>();
  loss.by_sample = by_sample.data_ptr<float>();
  launch(settings_.accelerator, gpu::kCrossEntropy, one_block, loss);
  ops_.backward(pass, std::move(d_logits));
}

}  // namespace lockstep
