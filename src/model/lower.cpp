#include "model/lower.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

// Far beyond any machine; within them no product of sizes leaves its integer type.
constexpr std::int64_t kMostWeights = std::int64_t{1} << 36;
constexpr std::int64_t kMostValues = (std::int64_t{1} << 31) - 1;  // of a layer's output, a sample
constexpr double kMostMultiplyAdds = 1e15;                         // of a layer, a sample

constexpr std::int64_t kAlignment = 16;  // floats: one cache line
constexpr int kLargestMaxPool = 15;      // of our own kernel: a byte holds a place in the window

std::int64_t aligned(std::int64_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

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
  }
  return "";
}

std::string with_activation(std::string text, ActivationKind kind) {
  if (kind == ActivationKind::kNone) return text;
  return fmt::format("{} {}", text, name_of(kind));
}

// Adds one layer after the other to a graph.
class Lowering {
 public:
  explicit Lowering(const ImageShape& input) { graph_.values.push_back(input); }

  Graph lower(const ModelOptions& options, int classes) {
    for (const LayerOptions& layer : options.layers) {
      std::visit([this](const auto& each) { add_layer(each); }, layer);
    }
    check_logits(classes);
    place_statistics();
    return std::move(graph_);
  }

 private:
  template <typename Options>
  void add_layer(const Options& options) {
    kind_ = Options::kName;
    info_ = LayerInfo{};
    add(options);
    check_size();
    info_.output = shape();
    graph_.layers.push_back(info_);
    ++index_;
  }

  const ImageShape& shape() const { return graph_.shape(value_); }

  [[noreturn]] void fail_shape(const std::string& problem) const {
    fail_usage("model.layer[{}] ({}): {}", index_, kind_, problem);
  }

  void add(const ConvOptions& conv) {
    if (flat_) fail_shape("comes after flatten or dense; convolutions need height and width");
    const ImageShape in = shape();
    if (conv.padding == Padding::kValid && std::min(in.height, in.width) < conv.kernel) {
      fail_shape(
          fmt::format("a {0}x{0} kernel with valid padding does not fit into its input of {1}",
                      conv.kernel, text_of(in)));
    }
    const auto out_size = [&](int size) {
      if (conv.padding == Padding::kSame) return (size + conv.stride - 1) / conv.stride;
      return (size - conv.kernel) / conv.stride + 1;
    };
    const ImageShape out{out_size(in.height), out_size(in.width), conv.filters};
    ConvOp op{.kernel = conv.kernel, .stride = conv.stride};
    if (conv.padding == Padding::kSame) {
      if (in.height != in.width && conv.stride != 1) {
        fail_shape("same padding with a stride above 1 needs a square input, not " + text_of(in));
      }
      const int padding = std::max((out.height - 1) * conv.stride + conv.kernel - in.height, 0);
      op.padding_before = padding / 2;
      op.padding_after = padding - padding / 2;
    }
    op.weight = place(Role::kWeight, {conv.filters, conv.kernel, conv.kernel, in.channels},
                      conv.initializer);
    if (conv.bias) op.bias = place(Role::kBias, {conv.filters});
    const std::int64_t weights = graph_.parameter(op.weight).range.size();
    const double multiply_adds = static_cast<double>(weights) * out.height * out.width;
    if (multiply_adds > kMostMultiplyAdds) {
      fail_shape(fmt::format("takes {:.1e} multiply-adds a sample, at most {:.0e} are possible",
                             multiply_adds, kMostMultiplyAdds));
    }
    info_.multiply_adds = weights * out.height * out.width;
    info_.title = with_activation(
        fmt::format("conv {} {}x{}", conv.filters, conv.kernel, conv.kernel), conv.activation);
    push(op, out);
    activate(conv.activation);
  }

  void add(const DenseOptions& dense) {
    if (!flat_ && (shape().height != 1 || shape().width != 1)) {
      fail_shape(fmt::format("its input is {}; put a flatten layer before it", text_of(shape())));
    }
    flatten();
    DenseOp op;
    op.weight = place(Role::kWeight, {dense.units, shape().channels}, dense.initializer);
    if (dense.bias) op.bias = place(Role::kBias, {dense.units});
    info_.multiply_adds = graph_.parameter(op.weight).range.size();
    info_.title = with_activation(fmt::format("dense {}", dense.units), dense.activation);
    push(op, ImageShape{1, 1, dense.units});
    activate(dense.activation);
  }

  void add(const BatchNormOptions& norm) {
    const std::int64_t channels = shape().channels;
    info_.title = "batch norm";
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

  void add(const DropoutOptions& dropout) {
    info_.title = fmt::format("dropout {:g}", dropout.rate);
    const long of_256 = std::min(std::lround(dropout.rate * 256), 255L);
    if (of_256 == 0) return;
    push(DropoutOp{static_cast<int>(of_256), static_cast<std::uint32_t>(index_)}, shape());
  }

  void add(const MaxPoolOptions& pool) {
    const PoolOp op = pool_op(pool, PoolOp::Kind::kMax, "max");
    const ImageShape out = pooled(op);
    if (!pool.global && pool.size <= kLargestMaxPool) {
      push(MaxPoolOp{pool.size, op.stride}, out);
    } else {
      push(op, out);
    }
  }

  void add(const AvgPoolOptions& pool) {
    const PoolOp op = pool_op(pool, PoolOp::Kind::kAverage, "average");
    push(op, pooled(op));
  }

  template <typename Options>
  PoolOp pool_op(const Options& pool, PoolOp::Kind kind, const char* text) {
    if (!pool.global) {
      info_.title = fmt::format("{0} pool {1}x{1}", text, pool.size);
      return {kind, pool.size, pool.size, pool.stride == 0 ? pool.size : pool.stride};
    }
    if (pool.size != Options{}.size || pool.stride != Options{}.stride) {
      fail_shape("its window is the whole image; leave out size and stride, or global");
    }
    info_.title = fmt::format("global {} pool", text);
    return {kind, shape().height, shape().width, 1};
  }

  ImageShape pooled(const PoolOp& op) const {
    if (flat_) fail_shape("comes after flatten or dense; pooling needs height and width");
    const ImageShape in = shape();
    if (in.height < op.height || in.width < op.width) {
      fail_shape(fmt::format("a {}x{} window does not fit into its input of {}", op.height,
                             op.width, text_of(in)));
    }
    return {(in.height - op.height) / op.stride + 1, (in.width - op.width) / op.stride + 1,
            in.channels};
  }

  void add(const FlattenOptions& /*flatten*/) {
    info_.title = "flatten";
    flatten();
  }

  void add(const ActivationOptions& activation) {
    info_.title = name_of(activation.kind);
    activate(activation.kind);
  }

  void flatten() {
    if (!flat_) push(FlattenOp{}, {1, 1, shape().pixels()});
    flat_ = true;
  }

  void activate(ActivationKind kind) {
    if (kind != ActivationKind::kNone) push(ActivateOp{kind}, shape());
  }

  template <typename Work>
  void push(const Work& work, const ImageShape& out) {
    if (std::int64_t{out.height} * out.width > kMostValues / out.channels) {
      fail_shape(fmt::format("gives {}: at most {} values a sample are possible", text_of(out),
                             kMostValues));
    }
    const ValueId in = value_;
    value_ = ValueId{graph_.values.size()};
    graph_.values.push_back(out);
    graph_.primitives.push_back({work, in, value_, path()});
  }

  std::string path() const { return fmt::format("{}.{}", index_, kind_); }

  Parameter parameter(Role role, std::vector<std::int64_t> shape) const {
    std::int64_t size = 1;
    for (const std::int64_t extent : shape) {
      if (__builtin_mul_overflow(size, extent, &size) || size > kMostWeights) {
        fail_shape(fmt::format("a weight of {}: at most {} values are possible",
                               fmt::join(shape, "x"), kMostWeights));
      }
    }
    return {.name = fmt::format("{}.{}", path(), name_of(role)),
            .role = role,
            .shape = std::move(shape),
            .range = {0, size}};
  }

  ParameterId place(Role role, std::vector<std::int64_t> shape,
                    Initializer initializer = Initializer::kGlorotUniform) {
    Parameter placed = parameter(role, std::move(shape));
    placed.initializer = initializer;
    info_.parameters += placed.range.size();
    info_.trainable_parameters += placed.range.size();
    append(placed);
    return ParameterId{graph_.trainable_count++};
  }

  // Placed behind the trainable parameters, once those are known.
  StatisticId add_statistic(Role role, std::int64_t channels, float momentum) {
    statistics_.push_back(parameter(role, {channels}));
    statistics_.back().momentum = momentum;
    info_.parameters += channels;
    return StatisticId{statistics_.size() - 1};
  }

  void append(Parameter placed) {
    const std::int64_t first = graph_.total_size();
    placed.range = {first, first + placed.range.size()};
    graph_.parameters.push_back(std::move(placed));
  }

  void place_statistics() {
    for (Parameter& statistic : statistics_) append(std::move(statistic));
  }

  void check_size() const {
    if (graph_.total_size() > kMostWeights) {
      fail_shape(fmt::format("the network has {} weights so far, at most {} are possible",
                             graph_.total_size(), kMostWeights));
    }
  }

  void check_logits(int classes) const {
    if (shape() != ImageShape{1, 1, classes}) {
      fail_usage("model: the last layer gives {}, but data.classes asks for 1x1x{} logits",
                 text_of(shape()), classes);
    }
    const auto& primitives = graph_.primitives;
    if (!primitives.empty() && std::holds_alternative<DenseOp>(primitives.back().work)) return;
    fail_usage(
        "model: the last layer must be a dense layer without activation (its outputs are "
        "the logits), not {}",
        graph_.layers.empty() ? "nothing" : graph_.layers.back().title);
  }

  Graph graph_;
  ValueId value_{};                    // the last one
  bool flat_ = false;                  // a flatten or dense layer has been seen
  int index_ = 0;                      // of the layer being added
  const char* kind_ = "";              // of the layer being added
  LayerInfo info_;                     // of the layer being added
  std::vector<Parameter> statistics_;  // not yet in the graph
};

}  // namespace

std::int64_t Graph::total_size() const {
  return parameters.empty() ? 0 : aligned(parameters.back().range.last);
}

std::int64_t Graph::trainable_size() const {
  return trainable_count == 0 ? 0 : aligned(parameters[trainable_count - 1].range.last);
}

std::string_view name_of(Role role) {
  switch (role) {
    case Role::kWeight:
      return "weight";
    case Role::kBias:
      return "bias";
    case Role::kScale:
      return "scale";
    case Role::kShift:
      return "shift";
    case Role::kRunningMean:
      return "running_mean";
    case Role::kRunningVariance:
      return "running_variance";
  }
  return "";
}

bool is_statistic(Role role) {
  return role == Role::kRunningMean || role == Role::kRunningVariance;
}

Graph lower(const ModelOptions& options, const ImageShape& input, int classes) {
  return Lowering(input).lower(options, classes);
}

}  // namespace lockstep
