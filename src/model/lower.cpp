#include "model/lower.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/core/error.h"
#include "model/lowering.h"

namespace lockstep {

namespace {

// Far beyond any machine; within them no product of sizes leaves its integer type.
constexpr std::int64_t kMostWeights = std::int64_t{1} << 36;
constexpr std::int64_t kMostValues = (std::int64_t{1} << 31) - 1;  // of a layer's output, a sample
constexpr double kMostMultiplyAdds = 1e15;                         // of a layer, a sample
constexpr std::size_t kMostLayers = 10'000;                        // those in blocks too

constexpr int kLargestReach = 4096;  // of a kernel, in pixels
// Of a larger one beyond its input, or in strides, LibTorch takes memory that grows with the fourth
// power of its side: terabytes.
constexpr int kLargestKernel = 127;
constexpr int kLargestMaxPool = 15;  // of our own kernel: a byte holds a place in the window

// How far a kernel reaches along an axis.
int extent_of(const ConvOptions& conv) { return conv.dilation * (conv.kernel - 1) + 1; }

// How often a window of that size fits into `size` pixels and their margin.
int steps(int size, const Margin& margin, int window, int stride) {
  return (size + margin.before + margin.after - window) / stride + 1;
}

// Along an axis of `size` pixels.
Margin margin_of(const ConvOptions& conv, int size) {
  if (conv.padding == Padding::kValid) return {conv.padding_pixels, conv.padding_pixels};
  const int out = (size + conv.stride - 1) / conv.stride;
  const int padding = std::max((out - 1) * conv.stride + extent_of(conv) - size, 0);
  return {padding / 2, padding - padding / 2};
}

std::string title_of(const ConvOptions& conv, const ImageShape& in) {
  std::string title = fmt::format("conv {} {}x{}", conv.filters, conv.kernel, conv.kernel);
  if (conv.groups > 1) {
    title += conv.groups == in.channels ? " depthwise" : fmt::format(" groups {}", conv.groups);
  }
  if (conv.dilation > 1) title += fmt::format(" dilation {}", conv.dilation);
  return title;
}

}  // namespace

std::string text_of(const ImageShape& shape) {
  return fmt::format("{}x{}x{}", shape.height, shape.width, shape.channels);
}

std::string_view name_of(ActivationKind kind) {
  switch (kind) {
    case ActivationKind::kNone:
      return "none";
    case ActivationKind::kRelu:
      return "relu";
    case ActivationKind::kLeakyRelu:
      return "leaky_relu";
    case ActivationKind::kGelu:
      return "gelu";
    case ActivationKind::kSilu:
      return "silu";
    case ActivationKind::kTanh:
      return "tanh";
    case ActivationKind::kSigmoid:
      return "sigmoid";
    case ActivationKind::kHardSwish:
      return "hard_swish";
    case ActivationKind::kRelu6:
      return "relu6";
  }
  return "";
}

std::string with_activation(std::string text, ActivationKind kind) {
  if (kind == ActivationKind::kNone) return text;
  return fmt::format("{} {}", text, name_of(kind));
}

int rounded_rate(float rate) { return static_cast<int>(std::min(std::lround(rate * 256), 255L)); }

Graph Lowering::lower(const ModelOptions& options, int classes) {
  classes_ = classes;
  add_layers(options.layers, {"model.", "", "", 0});
  check_logits(classes);
  place_statistics();
  return std::move(graph_);
}

void Lowering::add_layers(const std::vector<LayerOptions>& layers, const Scope& scope) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    std::visit([&](const auto& each) { add_layer(each, scope, i); }, layers[i]);
  }
}

template <typename Options>
void Lowering::add_layer(const Options& options, const Scope& scope, std::size_t index) {
  const Layer around =
      std::exchange(layer_, Layer{fmt::format("{}layer[{}]", scope.written, index), Options::kName,
                                  fmt::format("{}{}.{}", scope.path, index, Options::kName), index,
                                  graph_.layers.size(), scope.depth});
  if (layer_.info == kMostLayers) {
    fail_shape(fmt::format("is one of more than {} layers", kMostLayers));
  }
  LayerInfo& added = graph_.layers.emplace_back();
  added.depth = scope.depth;
  added.part = scope.part;
  add(options);
  check_size();
  info().output = shape();
  layer_ = around;
}

void Lowering::fail_shape(const std::string& problem) const {
  fail_usage("{} ({}): {}", layer_.written, layer_.kind, problem);
}

void Lowering::add(const ConvOptions& conv) {
  if (end_.flat) fail_shape("comes after flatten or dense; convolutions need height and width");
  const ImageShape in = shape();
  check_conv(conv, in);
  ConvOp op{.kernel = conv.kernel,
            .stride = conv.stride,
            .dilation = conv.dilation,
            .groups = conv.groups,
            .rows = margin_of(conv, in.height),
            .columns = margin_of(conv, in.width)};
  const ImageShape out{steps(in.height, op.rows, extent_of(conv), conv.stride),
                       steps(in.width, op.columns, extent_of(conv), conv.stride), conv.filters};
  const int inputs = in.channels / conv.groups;
  const double area = static_cast<double>(conv.kernel) * conv.kernel;
  const Fans fans{inputs * area, conv.filters * area};
  op.weight = place(Role::kWeight, {conv.filters, conv.kernel, conv.kernel, inputs},
                    {conv.initializer, fans});
  if (conv.bias) op.bias = place(Role::kBias, {conv.filters}, {conv.initializer, fans});
  const std::int64_t weights = graph_.parameter(op.weight).range.size();
  const double multiply_adds = static_cast<double>(weights) * out.height * out.width;
  if (multiply_adds > kMostMultiplyAdds) {
    fail_shape(fmt::format("takes {:.1e} multiply-adds a sample, at most {:.0e} are possible",
                           multiply_adds, kMostMultiplyAdds));
  }
  info().multiply_adds = weights * out.height * out.width;
  info().title = with_activation(title_of(conv, in), conv.activation);
  push(op, out);
  activate(conv.activation);
}

void Lowering::check_conv(const ConvOptions& conv, const ImageShape& in) const {
  if (conv.padding == Padding::kSame && conv.padding_pixels > 0) {
    fail_shape("has padding: SAME and padding_pixels; expected one of them");
  }
  if (in.channels % conv.groups != 0 || conv.filters % conv.groups != 0) {
    fail_shape(fmt::format("{} groups do not divide its {} input channels and {} filters evenly",
                           conv.groups, in.channels, conv.filters));
  }
  if (extent_of(conv) > kLargestReach) {
    fail_shape(
        fmt::format("a {0}x{0} kernel of dilation {1} reaches over {2} pixels, at most {3} "
                    "are possible",
                    conv.kernel, conv.dilation, extent_of(conv), kLargestReach));
  }
  const int size = std::min(in.height, in.width);
  if (conv.kernel > kLargestKernel && (conv.kernel > size || conv.stride > 1)) {
    fail_shape(
        fmt::format("a {0}x{0} kernel of stride {1} on an input of {2}; expected at most {3}x{3}, "
                    "or one no larger than the input that moves by a stride of 1",
                    conv.kernel, conv.stride, text_of(in), kLargestKernel));
  }
  if (conv.padding == Padding::kSame || size + 2 * conv.padding_pixels >= extent_of(conv)) return;
  fail_shape(
      fmt::format("a {0}x{0} kernel {1}with {2} does not fit into its input of {3}", conv.kernel,
                  conv.dilation == 1 ? "" : fmt::format("of dilation {} ", conv.dilation),
                  conv.padding_pixels == 0 ? "valid padding"
                                           : fmt::format("padding of {}", conv.padding_pixels),
                  text_of(in)));
}

void Lowering::add(const DenseOptions& dense) {
  if (!end_.flat && (shape().height != 1 || shape().width != 1)) {
    fail_shape(fmt::format("its input is {}; put a flatten layer before it", text_of(shape())));
  }
  flatten();
  DenseOp op;
  const Fans fans{static_cast<double>(shape().channels), static_cast<double>(dense.units)};
  op.weight = place(Role::kWeight, {dense.units, shape().channels}, {dense.initializer, fans});
  if (dense.bias) op.bias = place(Role::kBias, {dense.units}, {dense.initializer, fans});
  info().multiply_adds = graph_.parameter(op.weight).range.size();
  info().title = with_activation(fmt::format("dense {}", dense.units), dense.activation);
  push(op, ImageShape{1, 1, dense.units});
  activate(dense.activation);
}

void Lowering::add(const BatchNormOptions& norm) {
  const std::int64_t channels = shape().channels;
  info().title = "batch norm";
  const ParameterId scale = place(Role::kScale, {channels});
  const ParameterId shift = place(Role::kShift, {channels});
  push(BatchNormOp{.scale = scale,
                   .shift = shift,
                   .running_mean = add_statistic(Role::kRunningMean, channels, norm.momentum),
                   .running_variance =
                       add_statistic(Role::kRunningVariance, channels, norm.momentum),
                   .epsilon = norm.epsilon},
       shape());
}

void Lowering::add(const GroupNormOptions& norm) {
  const std::int64_t channels = shape().channels;
  if (channels % norm.groups != 0) {
    fail_shape(
        fmt::format("{} groups do not divide its {} channels evenly", norm.groups, channels));
  }
  info().title = fmt::format("group norm {}", norm.groups);
  const ParameterId scale = place(Role::kScale, {channels});
  push(GroupNormOp{scale, place(Role::kShift, {channels}), norm.groups, norm.epsilon, end_.flat},
       shape());
}

void Lowering::add(const LayerNormOptions& norm) {
  const std::int64_t channels = shape().channels;
  info().title = "layer norm";
  const ParameterId scale = place(Role::kScale, {channels});
  push(LayerNormOp{scale, place(Role::kShift, {channels}), norm.epsilon, end_.flat}, shape());
}

void Lowering::add(const DropoutOptions& dropout) {
  info().title = fmt::format("dropout {:g}", dropout.rate);
  const int of_256 = rounded_rate(dropout.rate);
  if (of_256 > 0) push(DropoutOp{of_256, dropout_key()}, shape());
}

void Lowering::add(const MaxPoolOptions& pool) {
  const PoolOp op = pool_op(pool, PoolOp::Kind::kMax, "max");
  const ImageShape out = pooled(op);
  if (!pool.global && pool.size <= kLargestMaxPool) {
    push(MaxPoolOp{pool.size, op.stride, op.padding}, out);
  } else {
    push(op, out);
  }
}

void Lowering::add(const AvgPoolOptions& pool) {
  const PoolOp op = pool_op(pool, PoolOp::Kind::kAverage, "average");
  push(op, pooled(op));
}

template <typename Options>
PoolOp Lowering::pool_op(const Options& pool, PoolOp::Kind kind, const char* text) {
  if (!pool.global) {
    info().title = fmt::format("{0} pool {1}x{1}", text, pool.size);
    if (pool.padding_pixels > pool.size / 2) {
      fail_shape(fmt::format("{0} padding_pixels around a {1}x{1} window; at most half of its side",
                             pool.padding_pixels, pool.size));
    }
    const int stride = pool.stride == 0 ? pool.size : pool.stride;
    return {kind, pool.size, pool.size, stride, pool.padding_pixels};
  }
  if (pool.size != Options{}.size || pool.stride != Options{}.stride || pool.padding_pixels > 0) {
    fail_shape(
        "its window is the whole image; leave out size, stride and padding_pixels, or global");
  }
  info().title = fmt::format("global {} pool", text);
  return {kind, shape().height, shape().width, 1};
}

ImageShape Lowering::pooled(const PoolOp& op) const {
  if (end_.flat) fail_shape("comes after flatten or dense; pooling needs height and width");
  const ImageShape in = shape();
  const Margin margin{op.padding, op.padding};
  if (in.height + 2 * op.padding < op.height || in.width + 2 * op.padding < op.width) {
    fail_shape(fmt::format("a {}x{} window does not fit into its input of {}", op.height, op.width,
                           text_of(in)));
  }
  return {steps(in.height, margin, op.height, op.stride),
          steps(in.width, margin, op.width, op.stride), in.channels};
}

void Lowering::add(const FlattenOptions& /*flatten*/) {
  info().title = "flatten";
  flatten();
}

void Lowering::add(const ActivationOptions& activation) {
  info().title = name_of(activation.kind);
  activate(activation.kind);
}

void Lowering::flatten() {
  if (!end_.flat) push(FlattenOp{}, {1, 1, shape().pixels()});
  end_.flat = true;
}

// Of a layer that is in no block, its index.
std::uint32_t Lowering::dropout_key() {
  constexpr std::uint32_t kFirstNested = 1U << 16;
  if (layer_.depth == 0 && std::string_view(layer_.kind) == DropoutOptions::kName) {
    return static_cast<std::uint32_t>(layer_.index);
  }
  return kFirstNested + nested_dropouts_++;
}

void Lowering::activate(ActivationKind kind) {
  if (kind != ActivationKind::kNone) push(ActivateOp{kind}, shape());
}

void Lowering::push(const Work& work, std::vector<ValueId> in, const ImageShape& out) {
  if (std::int64_t{out.height} * out.width > kMostValues / out.channels) {
    fail_shape(fmt::format("gives {}: at most {} values a sample are possible", text_of(out),
                           kMostValues));
  }
  end_.value = ValueId{graph_.values.size()};
  graph_.values.push_back(out);
  graph_.primitives.push_back({work, std::move(in), end_.value, layer_.path});
  last_ = layer_;
}

Parameter Lowering::parameter(Role role, std::vector<std::int64_t> shape) const {
  std::int64_t size = 1;
  for (const std::int64_t extent : shape) {
    if (__builtin_mul_overflow(size, extent, &size) || size > kMostWeights) {
      fail_shape(fmt::format("a weight of {}: at most {} values are possible",
                             fmt::join(shape, "x"), kMostWeights));
    }
  }
  return {.name = fmt::format("{}.{}", layer_.path, name_of(role)),
          .role = role,
          .shape = std::move(shape),
          .range = {0, size}};
}

ParameterId Lowering::place(Role role, std::vector<std::int64_t> shape, const Begin& begin) {
  Parameter placed = parameter(role, std::move(shape));
  placed.initializer = begin.initializer;
  placed.fans = begin.fans;
  info().parameters += placed.range.size();
  info().trainable_parameters += placed.range.size();
  append(placed);
  return ParameterId{graph_.trainable_count++};
}

StatisticId Lowering::add_statistic(Role role, std::int64_t channels, float momentum) {
  statistics_.push_back(parameter(role, {channels}));
  statistics_.back().momentum = momentum;
  info().parameters += channels;
  return StatisticId{statistics_.size() - 1};
}

void Lowering::append(Parameter placed) {
  const std::int64_t first = graph_.total_size();
  placed.range = {first, first + placed.range.size()};
  graph_.parameters.push_back(std::move(placed));
}

void Lowering::place_statistics() {
  for (Parameter& statistic : statistics_) append(std::move(statistic));
}

void Lowering::check_size() const {
  if (graph_.total_size() > kMostWeights) {
    fail_shape(fmt::format("the network has {} weights so far, at most {} are possible",
                           graph_.total_size(), kMostWeights));
  }
}

Graph lower(const ModelOptions& options, const ImageShape& input, int classes) {
  return Lowering(input).lower(options, classes);
}

}  // namespace lockstep
