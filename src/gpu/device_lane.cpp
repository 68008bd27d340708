#include "gpu/device_lane.h"

#include "gpu/device.h"

namespace lockstep {

namespace {

at::Tensor rows_of(const Accelerator& accelerator, const TrainingData& data, int lane) {
  const std::int64_t slots = data.lane_size(lane);
  std::vector<std::uint8_t> rows;
  rows.reserve(static_cast<std::size_t>(slots * data.shape().pixels()) *
               bytes_of(data.pixel_type()));
  for (std::int64_t slot = 0; slot < slots; ++slot) {
    const auto values = data.lane_pixels(lane, slot).raw();
    const auto* const first = reinterpret_cast<const std::uint8_t*>(values.data());
    rows.insert(rows.end(), first, first + values.size());
  }
  return to_device<std::uint8_t>(accelerator, rows, at::kByte);
}

}  // namespace

DeviceLane::DeviceLane(const LaneSettings& settings, const TrainingData& data, int lane,
                       const DropoutSource& dropout)
    : settings_(settings),
      rows_(rows_of(settings.accelerator, data, lane)),
      dropout_(dropout),
      ops_(make_device_ops(settings.accelerator, settings.network, settings.precision, dropout)) {}

at::Tensor DeviceLane::form_batch(const Pass& pass) const {
  const ImageShape& shape = settings_.network.input();
  at::Tensor images = make_activations(pass, shape, type_of(settings_.precision));
  const auto* factor = settings_.normalization.const_data_ptr<float>();
  launch(settings_.accelerator, gpu::kFormBatch,
         {static_cast<unsigned>(pass.samples), 1, kBlockThreads},
         gpu::FormBatch{.samples = dropout_.samples,
                        .rows = rows_.const_data_ptr(),
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
  const at::Tensor by_sample = at::empty({samples, 2}, logits.options());
  loss.logits = logits.const_data_ptr<float>();
  loss.d_logits = d_logits.data_ptr<float>();
  loss.by_sample = by_sample.data_ptr<float>();
  launch(settings_.accelerator, gpu::kCrossEntropy, one_block, loss);
  ops_.backward(pass, std::move(d_logits));
}

}  // namespace lockstep
