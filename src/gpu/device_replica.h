// A replica of the training in a GPU's memory: weights, their average, the optimizer's
// state. Owned by the stepper.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "gpu/kernels/arguments.h"
#include "lockstep/gpu/accelerator.h"
#include "lockstep/model/network.h"
#include "lockstep/train/options.h"
#include "lockstep/train/stepper.h"

namespace lockstep {

class DeviceReplica {
 public:
  DeviceReplica(const Accelerator& accelerator, const Network& network, const Replica& first,
                const OptimizerOptions& options);

  // Copies all of it, and waits until that is done.
  void upload(const Replica& replica);
  void download(Replica& replica) const;

  std::span<const float> weights() const;                  // device memory [total_size]
  std::span<const std::uint16_t> rounded_weights() const;  // likewise; empty in fp32

  // The update's arguments but for what the step gives.
  gpu::Update update() const;

 private:
  OptimizerOptions options_;
  std::int64_t trainable_;
  std::int64_t changing_;
  at::Tensor weights_;
  at::Tensor rounded_;   // undefined in fp32
  at::Tensor average_;   // undefined without an ema_decay
  at::Tensor first_;     // the optimizer's buffers
  at::Tensor second_;    // undefined for SGD
  at::Tensor momentum_;  // of the running statistics
};

}  // namespace lockstep
