// What a network computes, as a graph of primitive ops: the layers that are written, with
// every shape, margin and default resolved. Exports, tables and costs read it; what runs is
// the plan that is made of it (plan.h). Immutable, free of LibTorch.
//
// A value is what a primitive gives: [samples, height, width, channels], a flat one having
// height and width 1. Flattening keeps that order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/model/options.h"
#include "lockstep/model/parameter.h"

namespace lockstep {

// The number of a value of a graph.
enum class ValueId : std::size_t {};

// Slope of the leaky relu below 0.
inline constexpr double kLeakyReluSlope = 0.01;

// --- Primitives ---

// What an op keeps of its forward pass for the backward pass.
struct Kept {
  bool input = false;  // its inputs, or an output of that size
  bool output = false;
  int output_bytes = 0;  // so many bytes for each value of its output
};

// out = weight * in + bias, a convolution.
struct ConvOp {
  int kernel = 1;
  int stride = 1;
  int padding_before = 0;  // rows above and columns left; zeros
  int padding_after = 0;
  ParameterId weight{};
  std::optional<ParameterId> bias{};

  static constexpr const char* kName = "conv";
  static constexpr bool kHasParameters = true;
  static Kept kept() { return {.input = true}; }
};

// out = weight * in + bias, a matrix product.
struct DenseOp {
  ParameterId weight{};
  std::optional<ParameterId> bias{};

  static constexpr const char* kName = "dense";
  static constexpr bool kHasParameters = true;
  static Kept kept() { return {.input = true}; }
};

// Any activation but kNone.
struct ActivateOp {
  ActivationKind kind = ActivationKind::kRelu;

  static constexpr const char* kName = "activate";
  static constexpr bool kHasParameters = false;
  static Kept kept() { return {.input = true}; }
};

// Of windows without margins.
struct PoolOp {
  enum class Kind { kAverage, kMax };
  Kind kind = Kind::kAverage;
  int height = 1;  // of the window
  int width = 1;
  int stride = 1;

  static constexpr const char* kName = "pool";
  static constexpr bool kHasParameters = false;
  static Kept kept() { return {.input = true}; }
};

struct BatchNormOp {
  ParameterId scale{};
  ParameterId shift{};
  StatisticId running_mean{};
  StatisticId running_variance{};
  float epsilon = 0;
};

// Of a square window that our own kernel is for.
struct MaxPoolOp {
  int size = 1;
  int stride = 1;
};

struct DropoutOp {
  int of_256 = 0;           // so many 256ths of the values are dropped
  std::uint32_t layer = 0;  // keys its masks

  bool drops() const { return of_256 > 0; }
  // The factor of the values kept.
  float keep_scale() const { return 256.0F / static_cast<float>(256 - of_256); }
};

// Of each value, or of all values of a channel, where the second input has one a channel.
struct MultiplyOp {
  static constexpr const char* kName = "multiply";
  static constexpr bool kHasParameters = false;
  static Kept kept() { return {.input = true}; }
};

// The inputs one after the other along the channels.
struct JoinOp {
  static constexpr const char* kName = "join";
  static constexpr bool kHasParameters = false;
  static Kept kept() { return {}; }
};

// The whole of a sample's values, dropped or not (stochastic depth).
struct DropPathOp {
  DropoutOp drop{};

  static constexpr const char* kName = "drop_path";
  static constexpr bool kHasParameters = false;
  static Kept kept() { return {}; }
};

// The sum of two inputs.
struct AddOp {};

// Pixels and channels as one vector, and a vector as an image of one pixel.
struct FlattenOp {};
struct UnflattenOp {};

// Any of those that a plan has as they are, or one of `More`.
template <typename... More>
using PlainOr =
    std::variant<ConvOp, DenseOp, ActivateOp, PoolOp, MultiplyOp, JoinOp, DropPathOp, More...>;

struct Primitive {
  PlainOr<BatchNormOp, MaxPoolOp, DropoutOp, AddOp, FlattenOp, UnflattenOp> work;
  std::vector<ValueId> in;
  ValueId out{};
  std::string path;  // "<layer index>.<layer kind>", within blocks "3.residual.0.conv"
};

struct LayerInfo {
  std::string title;  // "conv 32 3x3 relu"
  ImageShape output;
  std::int64_t parameters = 0;  // trainable ones and statistics
  std::int64_t trainable_parameters = 0;
  std::int64_t multiply_adds = 0;  // of a sample's forward pass: conv and dense, without biases
  int depth = 0;                   // blocks around it
};

struct Graph {
  std::vector<ImageShape> values;     // by ValueId; the first are the images
  std::vector<Primitive> primitives;  // each after those that give its inputs
  std::vector<Parameter> parameters;  // trainable ones, then statistics; ranges ascend
  std::size_t trainable_count = 0;    // of the parameters
  std::vector<LayerInfo> layers;      // as written, a block before its layers

  // Floats of the flat weights, with gaps: each parameter starts at a multiple of 16 floats.
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
