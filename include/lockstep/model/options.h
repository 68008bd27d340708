// The model section of an experiment: a list of layers. Plain values, the only
// home of their defaults.
#pragma once

#include <variant>
#include <vector>

#include "lockstep/model/layer_options.h"

namespace lockstep {

struct ResidualOptions;
struct BranchesOptions;
struct GateOptions;
struct RepeatOptions;

using LayerOptions = std::variant<ConvOptions, DenseOptions, BatchNormOptions, DropoutOptions,
                                  MaxPoolOptions, AvgPoolOptions, FlattenOptions, ActivationOptions,
                                  GroupNormOptions, LayerNormOptions, ResidualOptions,
                                  BranchesOptions, GateOptions, RepeatOptions, LogitsOptions>;

// --- Blocks: layers of layers; lists have no initializers, as LayerOptions is not whole here ---

// Layers in a row; none: the input as it is.
struct PathOptions {
  std::vector<LayerOptions> layers;
};

// activation(layers(x) + shortcut(x)).
struct ResidualOptions {
  static constexpr const char* kName = "residual";
  std::vector<LayerOptions> layers;
  PathOptions shortcut;
  ActivationKind activation = ActivationKind::kNone;
  float drop_path = 0;  // in [0, 1): part of the samples whose layers(x) is left out
};

// The outputs of all branches, one after the other along the channels.
struct BranchesOptions {
  static constexpr const char* kName = "branches";
  std::vector<PathOptions> branches;
};

// x * layers(x), by value, or by channel where the layers give one value a channel.
struct GateOptions {
  static constexpr const char* kName = "gate";
  std::vector<LayerOptions> layers;
};

// The layers so many times, each time with weights of its own.
struct RepeatOptions {
  static constexpr const char* kName = "repeat";
  int times = 1;
  std::vector<LayerOptions> layers;
};

struct ModelOptions {
  std::vector<LayerOptions> layers;
};

}  // namespace lockstep
