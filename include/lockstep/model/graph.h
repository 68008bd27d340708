// What a network computes, as a graph of primitive ops: the layers that are written, with
// every shape, margin and default resolved. Exports, tables and costs read it; what runs is
// the plan that is made of it (plan.h). Immutable, free of LibTorch.
//
// A value is what a primitive gives: [samples, height, width, channels], a flat one having
// height and width 1. Flattening keeps that order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/model/options.h"
#include "lockstep/model/parameter.h"
#include "lockstep/model/primitives.h"

namespace lockstep {

// The number of a value of a graph.
enum class ValueId : std::size_t {};

struct Primitive {
  PlainOr<BatchNormOp, MaxPoolOp, DropoutOp, AddOp, FlattenOp, UnflattenOp> work;
  std::vector<ValueId> in;
  ValueId out{};
  std::string path;  // "<layer index>.<layer kind>", within blocks "3.residual.0.conv"
};

struct LayerInfo {
  std::string title;  // "conv 32 3x3 relu"
  ImageShape output;
  std::int64_t parameters = 0;            // trainable ones and statistics
  std::int64_t trainable_parameters = 0;  // without frozen ones
  std::int64_t multiply_adds = 0;  // of a sample's forward pass: conv and dense, without biases
  int depth = 0;                   // blocks around it
  std::string part;                // of the block around it: "shortcut", "branch 0", or empty
};

struct Graph {
  std::vector<ImageShape> values;     // by ValueId; the first are the images
  std::vector<Primitive> primitives;  // each after those that give its inputs
  std::vector<Parameter> parameters;  // trainable ones, then statistics; see Network
  std::size_t trainable_count = 0;    // of the parameters
  std::vector<LayerInfo> layers;      // as written, a block before its layers

  // Floats of the flat weights, with gaps, while nothing is frozen.
  std::int64_t trainable_size() const;
  std::int64_t total_size() const;

  const ImageShape& shape(ValueId id) const { return values[static_cast<std::size_t>(id)]; }
  const Parameter& parameter(ParameterId id) const {
    return parameters[static_cast<std::size_t>(id)];
  }
  const Parameter& parameter(StatisticId id) const {
    return parameters[trainable_count + static_cast<std::size_t>(id)];
  }
};

}  // namespace lockstep
