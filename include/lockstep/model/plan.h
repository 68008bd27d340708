// The work of a network as it is done: primitives of the graph, of which those that can be one
// pass over memory are one op. Immutable, free of LibTorch.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/core/philox.h"
#include "lockstep/model/graph.h"

namespace lockstep {

// Relu, batch norm, the sum with a second input, relu, dropout; all but the batch norm optional,
// and the sum alone or with the relu after it.
struct NormOp {
  BatchNormOp norm{};
  bool relu_before = false;
  bool adds = false;
  bool relu_after = false;
  float relu_limit = std::numeric_limits<float>::infinity();  // the most that relu_after gives
  DropoutOp drop{};

  static constexpr const char* kName = "norm";
  ParameterIds parameters() const { return {norm.scale, norm.shift}; }
  Kept kept() const {
    return {.inputs = 1, .output = adds && relu_after, .output_bytes = drop.drops() ? 1 : 0};
  }
};

// Relu, max pool, dropout; each optional. What they share: an output is one of
// the inputs, scaled, or zero, so one byte an output tells where its gradient goes.
struct GateOp {
  bool relu = false;
  MaxPoolOp pool{};  // of size and stride 1: none
  DropoutOp drop{};

  bool pools() const { return pool.size != 1 || pool.stride != 1; }
  static constexpr const char* kName = "gate";
  static ParameterIds parameters() { return {}; }
  Kept kept() const { return {.output_bytes = drop.drops() ? 2 : 1}; }
};

// activation(a + b): none, or relu.
struct SumOp {
  bool relu = false;

  static constexpr const char* kName = "sum";
  static ParameterIds parameters() { return {}; }
  Kept kept() const { return {.output = relu}; }
};

// A value as an op sees it: flattening changes the shape alone.
struct Operand {
  ValueId id{};
  ImageShape shape;
};

struct Op {
  PlainOr<NormOp, GateOp, SumOp> work;
  std::vector<Operand> in;
  Operand out;
};

// What a network does, each op after those that give its inputs; the first value are the images,
// the last op gives the logits.
using Plan = std::vector<Op>;

// The key of a dropout's masks in `epoch`; see random_bytes in model/kernels.h for what is
// made of it.
constexpr PhiloxKey dropout_stream(std::uint64_t seed, std::uint32_t layer, int epoch) {
  const PhiloxBlock block =
      philox(philox_key(seed, Purpose::kDropout), {layer, static_cast<std::uint32_t>(epoch), 0, 0});
  return {block[0], block[1]};
}

}  // namespace lockstep
