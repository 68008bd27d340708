// One lane on a GPU: its rows, which stay in the GPU's memory, and its part of a step.
// Owned by the stepper.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "gpu/device_ops.h"
#include "gpu/device_replica.h"
#include "lockstep/data/training_data.h"

namespace lockstep {

// What the lanes of a rank share.
struct LaneSettings {
  Accelerator& accelerator;
  const Network& network;
  Precision precision;
  float label_smoothing;
  bool augments;
  PixelType pixel_type;
  float outside;              // value around an image that is moved
  at::Tensor normalization;   // of the device: factors, then offsets, by channel
  const gpu::StepRule* rule;  // of the device
};

class DeviceLane {
 public:
  // Copies the rows of `lane` to the device; `dropout` says where a step's samples and
  // keys will lie.
  DeviceLane(const LaneSettings& settings, const TrainingData& data, int lane,
             const DropoutSource& dropout);

  // Enqueues batch, forward and backward pass of the step's first `samples` samples into
  // `sums`, device memory [network.changing_size() + kTailSize]: gradients, statistics, tail.
  void run(std::int64_t samples, const DeviceReplica& replica, std::span<float> sums);

 private:
  at::Tensor form_batch(const Pass& pass) const;

  LaneSettings settings_;
  at::Tensor rows_;  // bytes [slots, pixels]
  DropoutSource dropout_;
  PlanRunner ops_;
};

}  // namespace lockstep
