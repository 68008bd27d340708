#include "gpu/device_lane.h"

#include "gpu/device.h"

namespace lockstep {

namespace {

const float* first_or_null(const at::Tensor& values) {
  return values.numel() == 0 ? nullptr : values.const_data_ptr<float>();
}

}  // namespace

DeviceLane::DeviceLane(const LaneSettings& settings, const void* rows, const DropoutSource& dropout)
    : settings_(settings),
      rows_(rows),
      dropout_(dropout),
      ops_(make_device_ops(settings.accelerator, settings.network, settings.precision, dropout)) {}

at::Tensor DeviceLane::form_batch(const Pass& pass) const {
  const ImageShape& shape = settings_.network.input();
  at::Tensor images = make_activations(pass, shape, type_of(settings_.precision));
  const AugmentationOptions& augmentation = settings_.augmentation;
  const auto* factor = settings_.normalization.const_data_ptr<float>();
  launch(settings_.accelerator, gpu::kFormBatch,
         {static_cast<unsigned>(pass.samples), 1, kBlockThreads},
         gpu::FormBatch{.samples = dropout_.samples,
                        .rows = rows_,
                        .factor = factor,
                        .offset = factor + shape.channels,
                        .images = images.data_ptr(),
                        .mean = first_or_null(settings_.mean),
                        .height = shape.height,
                        .width = shape.width,
                        .channels = shape.channels,
                        .floats = settings_.pixel_type == PixelType::kFloat ? 1 : 0,
                        .moves = augmentation.moves() ? 1 : 0,
                        .changes = augmentation.any() ? 1 : 0,
                        .tones = augmentation.tones() ? 1 : 0,
                        .mixes = augmentation.mixes() ? 1 : 0,
                        .mirrors = 0,
                        .shift = 0,
                        .lowest = settings_.range.lowest,
                        .highest = settings_.range.highest});
  return images;
}

void DeviceLane::run(std::int64_t samples, const DeviceReplica& replica, std::span<float> sums) {
  const Network& network = settings_.network;
  const auto trainable = static_cast<std::size_t>(network.trainable_size());
  const auto changing = static_cast<std::size_t>(network.changing_size());
  const Pass pass{.mode = Mode::kTrain,
                  .network = network,
                  .device = device_of(settings_.accelerator),
                  .weights = replica.weights(),
                  .rounded_weights = replica.rounded_weights(),
                  .samples = static_cast<int>(samples),
                  .gradients = sums.first(trainable),
                  .statistics = sums.subspan(trainable, changing - trainable)};
  gpu::Loss loss{.logits = nullptr,
                 .d_logits = nullptr,
                 .by_sample = nullptr,
                 .tail = sums.data() + changing,
                 .samples = dropout_.samples,
                 .rule = settings_.rule,
                 .class_weights = first_or_null(settings_.class_weights),
                 .count = pass.samples,
                 .classes = network.classes(),
                 .smoothing = settings_.label_smoothing};
  const Grid one_block{1, 1, kBlockThreads};
  if (samples == 0) {
    view_floats(pass, sums.data(), {network.changing_size()}).zero_();
    launch(settings_.accelerator, gpu::kCrossEntropy, one_block, loss);
    return;
  }
  const at::Tensor logits = ops_.forward(pass, form_batch(pass)).contiguous();
  at::Tensor d_logits = at::empty(logits.sizes(), logits.options());
  const at::Tensor by_sample = at::empty({samples, 3}, logits.options());
  loss.logits = logits.const_data_ptr<float>();
  loss.d_logits = d_logits.data_ptr<float>();
  loss.by_sample = by_sample.data_ptr<float>();
  launch(settings_.accelerator, gpu::kCrossEntropy, one_block, loss);
  ops_.backward(pass, std::move(d_logits));
}

}  // namespace lockstep
