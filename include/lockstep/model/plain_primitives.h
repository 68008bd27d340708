// Primitive ops that have no parameters; see primitives.h.
#pragma once

#include <cstdint>

#include "lockstep/model/options.h"
#include "lockstep/model/parameter.h"

namespace lockstep {

// Slope of the leaky relu below 0.
inline constexpr double kLeakyReluSlope = 0.01;
// The most that relu6 gives.
inline constexpr float kRelu6Limit = 6;

// What an op keeps of its forward pass for the backward pass.
struct Kept {
  int inputs = 0;  // the first so many, or an output of their size
  bool output = false;
  int output_bytes = 0;  // so many bytes for each value of its output
};

// Any activation but kNone.
struct ActivateOp {
  ActivationKind kind = ActivationKind::kRelu;

  static constexpr const char* kName = "activate";
  static ParameterIds parameters() { return {}; }
  static Kept kept() { return {.inputs = 1}; }
};

struct PoolOp {
  enum class Kind { kAverage, kMax };
  Kind kind = Kind::kAverage;
  int height = 1;  // of the window
  int width = 1;
  int stride = 1;
  int padding = 0;  // on each side: never the largest, zeros in an average

  static constexpr const char* kName = "pool";
  static ParameterIds parameters() { return {}; }
  static Kept kept() { return {.inputs = 1}; }
};

// Of a square window that our own kernel is for.
struct MaxPoolOp {
  int size = 1;
  int stride = 1;
  int padding = 0;  // on each side
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
  static ParameterIds parameters() { return {}; }
  static Kept kept() { return {.inputs = 2}; }
};

// The inputs one after the other along the channels.
struct JoinOp {
  static constexpr const char* kName = "join";
  static ParameterIds parameters() { return {}; }
  static Kept kept() { return {}; }
};

// The whole of a sample's values, dropped or not (stochastic depth).
struct DropPathOp {
  DropoutOp drop{};

  static constexpr const char* kName = "drop_path";
  static ParameterIds parameters() { return {}; }
  static Kept kept() { return {}; }
};

// The sum of two inputs.
struct AddOp {};

// Pixels and channels as one vector, and a vector as an image of one pixel.
struct FlattenOp {};
struct UnflattenOp {};

}  // namespace lockstep
