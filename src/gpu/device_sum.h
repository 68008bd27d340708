// The sum over lanes in a GPU's memory; what parallel/lane_sum.h is for the CPU, along
// the same tree. Owned by the stepper, one a rank; enqueues, never waits.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/comm/transport.h"
#include "lockstep/gpu/accelerator.h"
#include "lockstep/parallel/exchange_plan.h"
#include "lockstep/parallel/options.h"

namespace lockstep {

class DeviceSum {
 public:
  // `lanes` of the experiment over all ranks of `transport`; `size` floats a lane.
  DeviceSum(Accelerator& accelerator, Transport& transport, int lanes, std::int64_t size,
            Reduction reduction);

  Range owned_lanes() const { return plan_.lanes; }
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
    float* to;
  };

  Addition addition(std::span<const int> program, std::span<const float* const> values,
                    std::int64_t count, float* to) const;
  void plan_ordered(std::span<float* const> partials);
  void plan_native(std::span<float* const> partials);
  void add(const Addition& addition);
  float* buffer(std::int64_t index) const;

  Accelerator& accelerator_;
  Transport& transport_;
  Reduction reduction_;
  ExchangePlan plan_;
  std::int64_t size_;
  std::int64_t lane_floats_;    // of a lane's buffer, rounded up
  at::Tensor memory_;           // buffers of the lanes, of partial sums, of the result
  at::Tensor received_;         // this rank's slice of the others' partial sums
  std::vector<Addition> own_;   // of the partial sums that are not single lanes
  std::vector<Addition> rest_;  // of this rank's slice, by its owner
  PlannedExchange exchange_{};
};

}  // namespace lockstep
