// The sum over lanes in a GPU's memory; what parallel/lane_sum.h is for the CPU, along
// the same tree. Owned by the stepper, one a rank; enqueues, never waits.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "gpu/kernels/sum_arguments.h"
#include "lockstep/comm/transport.h"
#include "lockstep/gpu/accelerator.h"
#include "lockstep/parallel/exchange_plan.h"
#include "lockstep/parallel/lane_sum.h"

namespace lockstep {

class DeviceSum {
 public:
  // Over all ranks of `transport`. Gradients travel as shape.wire, all else as fp32.
  DeviceSum(Accelerator& accelerator, Transport& transport, const LaneSumShape& shape,
            Reduction reduction);

  Range owned_lanes() const { return owned_; }
  // Device memory [size] of an owned lane; zero at first.
  std::span<float> lane(std::int64_t lane) const;
  // Device memory [size]: the sums, once what run() enqueued is done.
  std::span<float> values() const;

  // Collective, among the transports: enqueues the sum of what was enqueued to lanes.
  void run();

 private:
  // A kernel's sum along the tree, with its tables in device memory.
  struct Addition {
    at::Tensor buffers;  // addresses
    at::Tensor program;
    std::int64_t count;
    std::int64_t rounded;  // of these, the first ones
    float* to;
  };

  // Of `count` elements, the first `rounded` of them kept as bf16.
  Addition addition(std::span<const int> program, std::span<const float* const> values,
                    std::int64_t count, std::int64_t rounded, float* to) const;
  // What is enqueued for a round of the plan: additions first.
  struct Round {
    std::vector<Addition> additions;
    std::vector<gpu::Packed> sent, received;  // of out and in, what travels as bf16
    std::vector<Outgoing> out;
    std::vector<Incoming> in;
  };

  void plan_ordered(std::span<float* const> partials);
  void plan_rounds(std::span<float* const> partials, Range elements, Wire wire);
  gpu::Packed packed(std::span<float> values);
  void plan_native(std::span<float* const> partials);
  void add(const Addition& addition);
  float* buffer(std::int64_t index) const;

  Accelerator& accelerator_;
  Transport& transport_;
  Reduction reduction_;
  Range owned_;
  ExchangePlan plan_;
  std::int64_t size_;
  std::int64_t rounded_;            // floats of a lane, the first ones
  std::int64_t lane_floats_;        // of a lane's buffer, rounded up
  at::Tensor memory_;               // buffers of the lanes, of partial sums, of the result
  std::vector<at::Tensor> stored_;  // what the plan stores, and what travels as bf16
  std::vector<Addition> own_;       // of the partial sums that are not single lanes
  std::vector<Round> rounds_;
};

}  // namespace lockstep
