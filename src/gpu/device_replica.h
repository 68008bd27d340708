// A replica of the training in a GPU's memory: weights, their average, the optimizer's
// state. Owned by the stepper.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "gpu/kernels/arguments.h"
#include "lockstep/gpu/accelerator.h"
#include "lockstep/model/network.h"
#include "lockstep/train/options.h"
#include "lockstep/train/stepper.h"

namespace lockstep {

class DeviceReplica {
 public:
  DeviceReplica(Accelerator& accelerator, const Network& network, const Replica& first,
                const OptimizerOptions& options);

  // Copies all of it, and waits until that is done.
  void upload(const Replica& replica);
  void download(Replica& replica) const;

  std::span<const float> weights() const;                  // device memory [total_size]
  std::span<const std::uint16_t> rounded_weights() const;  // likewise; empty in fp32

  // Enqueues the update by the sum [changing_size] and its tail, all three in device memory.
  void move(const gpu::StepRule* rule, const gpu::StepFacts* facts, const float* sum);

 private:
  void upload_parts();
  gpu::Update arguments() const;  // but for what the step gives

  Accelerator& accelerator_;
  const Network& network_;
  OptimizerOptions options_;
  std::vector<UpdatePart> parts_;
  std::vector<RatioBlock> blocks_;  // of LAMB and LARS
  std::int64_t trainable_;
  std::int64_t changing_;
  at::Tensor weights_;
  at::Tensor rounded_;  // undefined in fp32
  at::Tensor average_;  // undefined without an ema_decay
  at::Tensor first_;    // the optimizer's buffers
  at::Tensor second_;   // undefined where it has one alone
  at::Tensor device_parts_;
  at::Tensor device_blocks_;  // undefined without blocks_, as the next ones
  at::Tensor squares_;
  at::Tensor ratios_;
  at::Tensor direction_;  // of Muon's matrices; else undefined
  at::Tensor momentum_;   // of the running statistics
  at::Tensor taken_;      // likewise, 1 where a file gave them
};

}  // namespace lockstep
