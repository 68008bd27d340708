// One lane on a GPU: its part of a step.
// Owned by the stepper.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "gpu/device_ops.h"
#include "gpu/device_replica.h"
#include "lockstep/data/pixel_values.h"

namespace lockstep {

// What the lanes of a rank share.
struct LaneSettings {
  Accelerator& accelerator;
  const Network& network;
  Precision precision;
  float label_smoothing;
  AugmentationOptions augmentation;
  PixelType pixel_type;
  ValueRange range;
  at::Tensor normalization;   // of the device: factors, then offsets, by channel
  at::Tensor mean;            // of the device, by channel; empty where it is not needed
  at::Tensor class_weights;   // of the device; empty: 1 each
  const gpu::StepRule* rule;  // of the device
};

class DeviceLane {
 public:
  // `rows`: memory of the device from which samples' slots count; `dropout` says where a step's
  // samples and keys will lie.
  DeviceLane(const LaneSettings& settings, const void* rows, const DropoutSource& dropout);

  // Enqueues batch, forward and backward pass of the step's first `samples` samples into
  // `sums`, device memory [network.changing_size() + kTailSize]: gradients, statistics, tail.
  void run(std::int64_t samples, const DeviceReplica& replica, std::span<float> sums);

 private:
  at::Tensor form_batch(const Pass& pass) const;

  LaneSettings settings_;
  const void* rows_;  // [slots, pixels] of the pixel type
  DropoutSource dropout_;
  PlanRunner ops_;
};

}  // namespace lockstep
