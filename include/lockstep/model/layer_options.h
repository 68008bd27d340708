// The layers of an experiment that hold no others. Plain values, the only home of their defaults.
#pragma once

namespace lockstep {

// Of activations and of the weights that they meet; master weights, statistics,
// sums and the loss are fp32 in both.
enum class Precision { kFp32, kBf16 };

// kHardSwish is x clamp(x + 3, 0, 6) / 6 (Howard et al. 2019, section 5.2), kRelu6 clamp(x, 0, 6).
enum class ActivationKind {
  kNone,
  kRelu,
  kLeakyRelu,
  kGelu,
  kSilu,
  kTanh,
  kSigmoid,
  kHardSwish,
  kRelu6
};
enum class Padding { kValid, kSame };

// How weights begin; biases begin at 0, but for kPytorch. Formulas: see initial_weights().
enum class Initializer {
  kGlorotUniform,
  kGlorotNormal,
  kHeUniform,
  kHeNormal,
  kPytorch,
  kKaimingNormalFanOut,
  kTruncatedNormal
};

// Each kind of layer has the name that experiments and parameters call it by.

struct ConvOptions {
  static constexpr const char* kName = "conv";
  int filters = 0;
  int kernel = 3;
  int stride = 1;
  Padding padding = Padding::kValid;
  int padding_pixels = 0;  // of zeros on each of the four sides; with kValid alone
  int dilation = 1;        // pixels from one value that a kernel meets to the next
  int groups = 1;          // of channels, inputs and filters alike; each sees its own inputs alone
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

// Wu and He, "Group Normalization" (2018), eq. 1, 2 and 7: mean and variance of each sample, over
// its pixels and the channels of a group.
struct GroupNormOptions {
  static constexpr const char* kName = "group_norm";
  int groups = 32;  // of neighbouring channels
  float epsilon = 1e-5F;
};

// Ba et al., "Layer Normalization" (2016), eq. 3, as ConvNeXt has it (Liu et al. 2022): mean and
// variance over the channels of each pixel.
struct LayerNormOptions {
  static constexpr const char* kName = "layer_norm";
  float epsilon = 1e-6F;
};

struct DropoutOptions {
  static constexpr const char* kName = "dropout";
  float rate = 0.5F;  // in [0, 1); rounded to a multiple of 1/256
};

struct MaxPoolOptions {
  static constexpr const char* kName = "max_pool";
  int size = 2;
  int stride = 0;          // 0: as size
  int padding_pixels = 0;  // on each side, at most half of size; never the largest
  bool global = false;     // the window is the whole image; the others are left out
};

struct AvgPoolOptions {
  static constexpr const char* kName = "avg_pool";
  int size = 2;
  int stride = 0;          // 0: as size
  int padding_pixels = 0;  // on each side, at most half of size; zeros that count in the mean
  bool global = false;     // the window is the whole image; the others are left out
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

}  // namespace lockstep
