// The sum over lanes in a GPU's memory; what parallel/lane_sum.h is for the CPU, along
// the same tree. Owned by the stepper, one a rank; enqueues, never waits.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/comm/transport.h"
#include "lockstep/core/share.h"
#include "lockstep/gpu/accelerator.h"
#include "lockstep/parallel/lane_tree.h"
#include "lockstep/parallel/options.h"

namespace lockstep {

// `tree`'s node in postfix order: indices in `known`, which covers its lanes, and kAdd.
std::vector<int> postfix(const LaneTree& tree, LaneNode node, std::span<const LaneNode> known);

class DeviceSum {
 public:
  // `lanes` of the experiment over all ranks of `transport`; `size` floats a lane.
  DeviceSum(Accelerator& accelerator, Transport& transport, int lanes, std::int64_t size,
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
    float* to;
  };

  Addition plan(LaneNode node, const std::vector<LaneNode>& known,
                const std::vector<const float*>& values, std::int64_t count, float* to) const;
  void plan_ordered();
  void plan_native();
  void add(const Addition& addition);
  Range slice(int rank) const;
  std::span<float> part(float* base, Range range) const;

  Accelerator& accelerator_;
  Transport& transport_;
  Reduction reduction_;
  LaneTree tree_;
  Range owned_;
  std::int64_t size_;
  std::int64_t lane_floats_;      // of a lane's buffer, rounded up
  std::vector<LaneNode> nodes_;   // the complete ones of this rank's lanes
  std::vector<float*> partials_;  // their values
  at::Tensor memory_;             // lanes, partial sums of nodes, the result
  at::Tensor received_;           // this rank's slice of the others' partial sums
  std::vector<Addition> own_;     // of nodes_ that are not single lanes
  std::vector<Addition> rest_;    // of this rank's slice, by its owner
  std::vector<Outgoing> partials_out_;
  std::vector<Incoming> partials_in_;
  std::vector<Outgoing> slices_out_;
  std::vector<Incoming> slices_in_;
};

}  // namespace lockstep
