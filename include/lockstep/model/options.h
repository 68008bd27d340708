// The model section of an experiment: a list of layers. Plain values, the only
// home of their defaults.
#pragma once

#include <string>
#include <variant>
#include <vector>

namespace lockstep {

// Of activations and of the weights that they meet; master weights, statistics,
// sums and the loss are fp32 in both.
enum class Precision { kFp32, kBf16 };

enum class ActivationKind { kNone, kRelu, kLeakyRelu, kGelu, kSilu, kTanh, kSigmoid };
enum class Padding { kValid, kSame };

// How weights begin; biases begin at 0. Formulas: see initial_weights().
enum class Initializer { kGlorotUniform, kGlorotNormal, kHeUniform, kHeNormal };

// Each kind of layer has the name that experiments and parameters call it by.

struct ConvOptions {
  static constexpr const char* kName = "conv";
  int filters = 0;
  int kernel = 3;
  int stride = 1;
  Padding padding = Padding::kValid;
  ActivationKind activation = ActivationKind::kNone;
  Initializer initializer = Initializer::kGlorotUniform;
  bool bias = true;
};

struct DenseOptions {
  static constexpr const char* kName = "dense";
  int units = 0;
  ActivationKind activation = ActivationKind::kNone;
  Initializer initializer = Initializer::kGlorotUniform;
  bool bias = true;
};

struct BatchNormOptions {
  static constexpr const char* kName = "batch_norm";
  float momentum = 0.99F;  // of the running statistics: r = m r + (1 - m) batch
  float epsilon = 1e-3F;
};

struct DropoutOptions {
  static constexpr const char* kName = "dropout";
  float rate = 0.5F;  // in [0, 1); rounded to a multiple of 1/256
};

struct MaxPoolOptions {
  static constexpr const char* kName = "max_pool";
  int size = 2;
  int stride = 0;       // 0: as size
  bool global = false;  // the window is the whole image, size and stride are left out
};

struct AvgPoolOptions {
  static constexpr const char* kName = "avg_pool";
  int size = 2;
  int stride = 0;       // 0: as size
  bool global = false;  // the window is the whole image; size and stride are left out
};

struct FlattenOptions {
  static constexpr const char* kName = "flatten";
};

struct ActivationOptions {
  static constexpr const char* kName = "activation";
  ActivationKind kind = ActivationKind::kRelu;
};

// A dense layer with as many units as there are classes; the last one.
struct LogitsOptions {
  static constexpr const char* kName = "logits";
  Initializer initializer = Initializer::kGlorotUniform;
  bool bias = true;
};

struct ResidualOptions;
struct BranchesOptions;
struct GateOptions;
struct RepeatOptions;

using LayerOptions =
    std::variant<ConvOptions, DenseOptions, BatchNormOptions, DropoutOptions, MaxPoolOptions,
                 AvgPoolOptions, FlattenOptions, ActivationOptions, ResidualOptions,
                 BranchesOptions, GateOptions, RepeatOptions, LogitsOptions>;

// --- Blocks: layers of layers ---

// Layers in a row; none: the input as it is.
struct PathOptions {
  std::vector<LayerOptions> layers;
};

// activation(layers(x) + shortcut(x)).
struct ResidualOptions {
  static constexpr const char* kName = "residual";
  std::vector<LayerOptions> layers = {};
  PathOptions shortcut = {};
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
  std::vector<LayerOptions> layers = {};
};

struct ModelOptions {
  std::vector<LayerOptions> layers;
};

}  // namespace lockstep
