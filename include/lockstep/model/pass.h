// A lane's pass through a network, as its ops see it. Plain views, for the rooms that compute.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "lockstep/core/batch.h"
#include "lockstep/core/error.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/model/network.h"

namespace lockstep {

enum class Mode { kTrain, kInfer };

// What all ops of one pass share.
struct Pass {
  Mode mode;
  const Network& network;
  at::Device device;               // where all memory below lies, but for the batch and its context
  std::span<const float> weights;  // [network.total_size()]
  std::span<const std::uint16_t> rounded_weights;  // likewise; empty in fp32
  int samples;
  std::span<float> gradients;            // empty when inferring
  std::span<float> statistics;           // empty when inferring
  const Batch* batch = nullptr;          // on the CPU
  const LaneContext* context = nullptr;  // on the CPU
  bool passes_back = true;               // a backward pass of the op comes, when training

  // Whether an op must keep what its backward pass needs.
  bool keeps() const { return mode == Mode::kTrain && passes_back; }

  // [of the parameter's or statistic's size]
  template <typename Id>
  const float* values(Id id) const {
    return weights.data() + first(id);
  }
  const std::uint16_t* rounded(ParameterId id) const { return rounded_weights.data() + first(id); }
  // Whether it is no frozen one: those have no gradient, and no statistic of a pass.
  template <typename Id>
  bool changes(Id id) const {
    return !network.graph().parameter(id).frozen;
  }
  float* gradient(ParameterId id) const {
    check(id);
    return gradients.data() + first(id);
  }
  float* statistic(StatisticId id) const {
    check(id);
    return statistics.data() + (first(id) - network.trainable_size());
  }

 private:
  // A runner that does not ask before would write into another parameter's gradient.
  template <typename Id>
  void check(Id id) const {
    if (changes(id)) return;
    fail_internal("\"{}\" is frozen, and a pass writes for it", network.graph().parameter(id).name);
  }
  template <typename Id>
  std::int64_t first(Id id) const {
    return network.graph().parameter(id).range.first;
  }
};

}  // namespace lockstep
