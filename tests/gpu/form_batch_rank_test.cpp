// Batches formed by the accelerator under test have the CPU's bits where values are copied, and
// its values where they are computed.

#include <ATen/Tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "data/samples.h"
#include "gpu/device.h"
#include "gpu/step_inputs.h"
#include "gpu/test_accelerator.h"
#include "lockstep/data/training_data.h"
#include "support/rank_test.h"

namespace lockstep {
namespace {

constexpr int kLanes = 2;
constexpr int kBatch = 200;

struct Formed {
  std::vector<float> on_cpu;
  std::vector<float> on_device;
};

std::string csv_in_three_channels() {
  std::string text = "label";
  for (int i = 0; i < 4 * 7 * 3; ++i) text += fmt::format(",pixel{}", i);
  for (int row = 0; row < 400; ++row) {
    text += fmt::format("\n{}", samples::label_of(row));
    for (int i = 0; i < 4 * 7 * 3; ++i) text += fmt::format(",{}", (row * 31 + i * i * 7) % 256);
  }
  return text + "\n";
}

Formed form(const DataOptions& options) {
  const auto self = connect_self();
  const TrainingData data(*self, options, kLanes, 31);
  Batch batch;
  data.fill_batch(1, 2, 1, kBatch, batch);
  std::vector<gpu::Sample> drawn;
  for (const DrawnSample& each : data.draw_samples(1, 2, 1, kBatch)) {
    drawn.push_back(to_sample(each, each.slot));
  }
  std::vector<std::uint8_t> rows;
  for (std::int64_t slot = 0; slot < data.lane_size(1); ++slot) {
    const auto bytes = data.lane_pixels(1, slot).bytes();
    rows.insert(rows.end(), bytes.begin(), bytes.end());
  }
  Accelerator& accelerator = test_accelerator();
  accelerator.load_kernels(Precision::kFp32);
  const std::span raw(reinterpret_cast<const std::uint8_t*>(drawn.data()),
                      drawn.size() * sizeof(gpu::Sample));
  const at::Tensor on_samples = to_device<std::uint8_t>(accelerator, raw, at::kByte);
  const at::Tensor on_rows = to_device<std::uint8_t>(accelerator, rows, at::kByte);
  const auto floats = [&](const std::vector<float>& values) {
    return to_device<float>(accelerator, values, at::kFloat);
  };
  const Normalization& normalization = data.summary().normalization;
  const at::Tensor factor = floats(normalization.factor);
  const at::Tensor offset = floats(normalization.offset);
  const at::Tensor mean = floats(data.mean_pixel());
  at::Tensor images =
      device_zeros(accelerator, static_cast<std::int64_t>(batch.images.size()), at::kFloat);
  const AugmentationOptions& augmentation = options.augmentation;
  launch(
      accelerator, gpu::kFormBatch, {static_cast<unsigned>(drawn.size()), 1, kBlockThreads},
      gpu::FormBatch{.samples = reinterpret_cast<const gpu::Sample*>(on_samples.const_data_ptr()),
                     .rows = on_rows.const_data_ptr(),
                     .factor = factor.const_data_ptr<float>(),
                     .offset = offset.const_data_ptr<float>(),
                     .images = images.data_ptr(),
                     .mean = data.mean_pixel().empty() ? nullptr : mean.const_data_ptr<float>(),
                     .height = options.shape.height,
                     .width = options.shape.width,
                     .channels = options.shape.channels,
                     .floats = 0,
                     .moves = augmentation.moves() ? 1 : 0,
                     .changes = augmentation.any() ? 1 : 0,
                     .tones = augmentation.tones() ? 1 : 0,
                     .mixes = augmentation.mixes() ? 1 : 0,
                     .mirrors = 0,
                     .shift = 0,
                     .lowest = 0,
                     .highest = 255});
  accelerator.wait();
  const at::Tensor on_host = images.cpu();
  const auto* first = on_host.const_data_ptr<float>();
  return {batch.images, {first, first + on_host.numel()}};
}

class FormBatchTest : public testing::Test {
 protected:
  FormBatchTest() {
    options_.shape = {4, 7, 3};
    options_.train.path = folder_.write("rows.csv", csv_in_three_channels());
  }

  samples::SharedFolder folder_{test_comm()};
  DataOptions options_ = samples::options();
};

TEST_F(FormBatchTest, CopiesHaveTheSameBits) {
  for (const AugmentationOptions& augmentation :
       {AugmentationOptions{}, AugmentationOptions{.flip = 0.5F},
        AugmentationOptions{.crop_padding_pixels = 2},
        AugmentationOptions{.erase = EraseOptions{.probability = 0.75F, .side_pixels = 2}},
        AugmentationOptions{.flip = 0.5F,
        .crop_padding_pixels = 3,
        .erase = EraseOptions{.probability = 0.75F},
        .cutmix_alpha = 1}}) {
    options_.augmentation = augmentation;
    const Formed formed = form(options_);
    EXPECT_EQ(formed.on_device, formed.on_cpu);
  }
}

TEST_F(FormBatchTest, WhatIsComputedIsNear) {
  options_.augmentation = {.rotation_degrees = 20,
                           .translation_pixels = 1,
                           .scale = 0.2F,
                           .flip = 0.5F,
                           .crop_padding_pixels = 2,
                           .erase = EraseOptions{},
                           .brightness = 0.3F,
                           .contrast = 0.3F,
                           .mixup_alpha = 1,
                           .cutmix_alpha = 1};
  options_.normalization = NormalizationKind::kStandardize;
  const Formed formed = form(options_);
  ASSERT_EQ(formed.on_device.size(), formed.on_cpu.size());
  for (std::size_t i = 0; i < formed.on_cpu.size(); ++i) {
    ASSERT_NEAR(formed.on_device[i], formed.on_cpu[i], 1e-4) << i;
  }
}

}  // namespace
}  // namespace lockstep
