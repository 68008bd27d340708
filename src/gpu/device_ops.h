// The ops that a GPU computes by kernels of our own; the others are LibTorch's.
#pragma once

#include <memory>

#include "gpu/kernels/arguments.h"
#include "gpu/kernels/layer_arguments.h"
#include "lockstep/gpu/accelerator.h"
#include "lockstep/model/op_runner.h"

namespace lockstep {

// Where the kernels of one lane find what keys its dropout masks. Device memory.
struct DropoutSource {
  const gpu::Sample* samples = nullptr;
  const std::uint32_t* keys = nullptr;  // two words a dropout layer
};

// The dropout layers of a network, in the order of their keys.
std::vector<std::uint32_t> dropout_layers(const Network& network);

// The runners of a network on `accelerator`, for one lane; what they refer to must
// outlive them.
PlanRunner make_device_ops(Accelerator& accelerator, const Network& network, Precision precision,
                           const DropoutSource& dropout);

}  // namespace lockstep
