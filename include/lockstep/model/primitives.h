// What a network's graph is made of: primitive ops, with every margin resolved. Plain values,
// free of LibTorch.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "lockstep/model/options.h"
#include "lockstep/model/parameter.h"
#include "lockstep/model/plain_primitives.h"

namespace lockstep {

// Of zeros around an image, along one of its axes.
struct Margin {
  int before = 0;
  int after = 0;
  friend bool operator==(const Margin&, const Margin&) = default;
};

// out = weight * in + bias, a convolution.
struct ConvOp {
  int kernel = 1;
  int stride = 1;
  int dilation = 1;
  int groups = 1;
  Margin rows = {};     // above and below
  Margin columns = {};  // left and right
  ParameterId weight{};
  std::optional<ParameterId> bias{};

  static constexpr const char* kName = "conv";
  ParameterIds parameters() const {
    return bias ? ParameterIds{weight, *bias} : ParameterIds{weight};
  }
  static Kept kept() { return {.inputs = 1}; }
};

// out = weight * in + bias, a matrix product.
struct DenseOp {
  ParameterId weight{};
  std::optional<ParameterId> bias{};

  static constexpr const char* kName = "dense";
  ParameterIds parameters() const {
    return bias ? ParameterIds{weight, *bias} : ParameterIds{weight};
  }
  static Kept kept() { return {.inputs = 1}; }
};

// Of each sample, over the channels of a group and all pixels.
struct GroupNormOp {
  ParameterId scale{};
  ParameterId shift{};
  int groups = 1;
  float epsilon = 0;
  bool flat = false;  // its input: a flatten or dense layer came before

  static constexpr const char* kName = "group_norm";
  ParameterIds parameters() const { return {scale, shift}; }
  static Kept kept() { return {.inputs = 1}; }
};

// Of each pixel, over its channels.
struct LayerNormOp {
  ParameterId scale{};
  ParameterId shift{};
  float epsilon = 0;
  bool flat = false;  // its input: a flatten or dense layer came before

  static constexpr const char* kName = "layer_norm";
  ParameterIds parameters() const { return {scale, shift}; }
  static Kept kept() { return {.inputs = 1}; }
};

struct BatchNormOp {
  ParameterId scale{};
  ParameterId shift{};
  StatisticId running_mean{};
  StatisticId running_variance{};
  float epsilon = 0;
};

// Any of those that a plan has as they are, or one of `More`.
template <typename... More>
using PlainOr = std::variant<ConvOp, DenseOp, ActivateOp, PoolOp, GroupNormOp, LayerNormOp,
                             MultiplyOp, JoinOp, DropPathOp, More...>;

}  // namespace lockstep
