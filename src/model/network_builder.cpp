#include "model/network_builder.h"

#include <cmath>
#include <utility>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr std::int64_t kAlignment = 16;  // floats: one cache line
// Far beyond any machine; within them no product of sizes leaves its integer type.
constexpr std::int64_t kMostWeights = std::int64_t{1} << 36;
constexpr std::int64_t kMostValues = (std::int64_t{1} << 31) - 1;  // of a layer's output, a sample
constexpr double kMostMultiplyAdds = 1e15;                         // of a layer, a sample

constexpr int kLargestPool = 15;  // a place in the window fits a byte

std::int64_t aligned(std::int64_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

std::string_view kind_name(const LayerOptions& layer) {
  constexpr std::string_view kNames[] = {"conv",     "dense",   "batch_norm", "dropout",
                                         "max_pool", "flatten", "activation"};
  return kNames[layer.index()];
}

std::string text_of(const ImageShape& shape) {
  return fmt::format("{}x{}x{}", shape.height, shape.width, shape.channels);
}

std::string with_activation(std::string text, ActivationKind kind) {
  if (kind == ActivationKind::kNone) return text;
  return fmt::format("{} {}", text, name_of(kind));
}

}  // namespace

std::string_view name_of(ActivationKind kind) {
  constexpr std::string_view kNames[] = {"none", "relu", "leaky_relu", "gelu",
                                         "silu", "tanh", "sigmoid"};
  return kNames[static_cast<int>(kind)];
}

void NetworkBuilder::build(const ModelOptions& options) {
  for (const LayerOptions& layer : options.layers) {
    kind_ = kind_name(layer);
    info_ = LayerInfo{};
    std::visit([this](const auto& each) { add(each); }, layer);
    info_.output = shape_;
    check_sizes();
    network_.layers_.push_back(info_);
    ++index_;
  }
  if (shape_ != ImageShape{1, 1, network_.classes_}) {
    fail_usage("model: the last layer gives {}, but data.classes asks for 1x1x{} logits",
               text_of(shape_), network_.classes_);
  }
  const bool ends_dense =
      !network_.ops_.empty() && std::holds_alternative<DenseOp>(network_.ops_.back().work);
  if (!ends_dense) {
    fail_usage(
        "model: the last layer must be a dense layer without activation (its outputs are "
        "the logits), not {}",
        network_.layers_.empty() ? "nothing" : network_.layers_.back().kind);
  }
  finish_placement();
}

void NetworkBuilder::fail_shape(const std::string& problem) const {
  fail_usage("model.layer[{}] ({}): {}", index_, kind_, problem);
}

void NetworkBuilder::check_sizes() const {
  if (network_.trainable_size_ > kMostWeights) {
    fail_shape(fmt::format("the network has {} weights so far, at most {} are possible",
                           network_.trainable_size_, kMostWeights));
  }
}

void NetworkBuilder::add(const ConvOptions& conv) {
  if (flat_) fail_shape("comes after flatten or dense; convolutions need height and width");
  ConvOp op{.kernel = conv.kernel, .stride = conv.stride};
  const auto out_size = [&](int size) {
    if (conv.padding == Padding::kSame) return (size + conv.stride - 1) / conv.stride;
    return (size - conv.kernel) / conv.stride + 1;
  };
  if (conv.padding == Padding::kValid && std::min(shape_.height, shape_.width) < conv.kernel) {
    fail_shape(fmt::format("a {0}x{0} kernel with valid padding does not fit into its input of {1}",
                           conv.kernel, text_of(shape_)));
  }
  const ImageShape out{out_size(shape_.height), out_size(shape_.width), conv.filters};
  if (conv.padding == Padding::kSame) {
    if (shape_.height != shape_.width && conv.stride != 1) {
      fail_shape("same padding with a stride above 1 needs a square input, not " + text_of(shape_));
    }
    const int padding = std::max((out.height - 1) * conv.stride + conv.kernel - shape_.height, 0);
    op.padding_before = padding / 2;
    op.padding_after = padding - padding / 2;
  }
  op.weight =
      place("weight", {conv.filters, conv.kernel, conv.kernel, shape_.channels}, conv.initializer);
  if (conv.bias) op.bias = place("bias", {conv.filters});
  const double multiply_adds = static_cast<double>(op.weight.size()) * out.height * out.width;
  if (multiply_adds > kMostMultiplyAdds) {
    fail_shape(fmt::format("takes {:.1e} multiply-adds a sample, at most {:.0e} are possible",
                           multiply_adds, kMostMultiplyAdds));
  }
  info_.multiply_adds = op.weight.size() * out.height * out.width;
  info_.kind = with_activation(fmt::format("conv {} {}x{}", conv.filters, conv.kernel, conv.kernel),
                               conv.activation);
  push({op, shape_, out});
  add_activation(conv.activation);
}

void NetworkBuilder::add(const DenseOptions& dense) {
  if (!flat_ && (shape_.height != 1 || shape_.width != 1)) {
    fail_shape(fmt::format("its input is {}; put a flatten layer before it", text_of(shape_)));
  }
  flat_ = true;
  DenseOp op;
  op.weight = place("weight", {dense.units, shape_.channels}, dense.initializer);
  if (dense.bias) op.bias = place("bias", {dense.units});
  info_.multiply_adds = op.weight.size();
  info_.kind = with_activation(fmt::format("dense {}", dense.units), dense.activation);
  push({op, shape_, ImageShape{1, 1, dense.units}});
  add_activation(dense.activation);
}

void NetworkBuilder::add(const BatchNormOptions& norm) {
  NormOp op;
  const GateOp* gate = last<GateOp>();
  const bool pools = gate != nullptr && (gate->pool_size != 1 || gate->pool_stride != 1);
  if (gate != nullptr && gate->relu && !pools && gate->drop_of_256 == 0) {
    network_.ops_.pop_back();
    op.relu_before = true;
  }
  op.momentum = norm.momentum;
  op.epsilon = norm.epsilon;
  op.scale = place("scale", {shape_.channels});
  op.shift = place("shift", {shape_.channels});
  op.running_mean = place_statistic("running_mean", shape_.channels);
  op.running_variance = place_statistic("running_variance", shape_.channels);
  info_.kind = "batch norm";
  push({op, shape_, shape_});
}

void NetworkBuilder::add(const DropoutOptions& dropout) {
  info_.kind = fmt::format("dropout {:g}", dropout.rate);
  const int of_256 = std::min(static_cast<int>(std::lround(dropout.rate * 256)), 255);
  if (of_256 == 0) return;
  auto* norm = last<NormOp>();
  const bool joins_norm = norm != nullptr && norm->drop_of_256 == 0;
  int& drop_of_256 = joins_norm ? norm->drop_of_256 : open_gate().drop_of_256;
  drop_of_256 = of_256;
  auto& drop_layer = joins_norm ? norm->drop_layer : last<GateOp>()->drop_layer;
  drop_layer = static_cast<std::uint32_t>(index_);
}

void NetworkBuilder::add(const MaxPoolOptions& pool) {
  if (flat_) fail_shape("comes after flatten or dense; pooling needs height and width");
  if (pool.size > kLargestPool) {
    fail_shape(fmt::format("size {} is above the largest window, {}", pool.size, kLargestPool));
  }
  const int stride = pool.stride == 0 ? pool.size : pool.stride;
  if (std::min(shape_.height, shape_.width) < pool.size) {
    fail_shape(fmt::format("a {0}x{0} window does not fit into its input of {1}", pool.size,
                           text_of(shape_)));
  }
  info_.kind = fmt::format("max pool {0}x{0}", pool.size);
  if (pool.size == 1 && stride == 1) return;
  GateOp* gate = last<GateOp>();
  if (gate == nullptr || gate->pool_size != 1 || gate->pool_stride != 1 || gate->drop_of_256 != 0) {
    push({GateOp{}, shape_, shape_});
    gate = last<GateOp>();
  }
  gate->pool_size = pool.size;
  gate->pool_stride = stride;
  shape_.height = (shape_.height - pool.size) / stride + 1;
  shape_.width = (shape_.width - pool.size) / stride + 1;
  network_.ops_.back().out = shape_;
}

void NetworkBuilder::add(const FlattenOptions& /*flatten*/) {
  flat_ = true;
  shape_ = ImageShape{1, 1, shape_.pixels()};
  info_.kind = "flatten";
}

void NetworkBuilder::add(const ActivationOptions& activation) {
  info_.kind = name_of(activation.kind);
  add_activation(activation.kind);
}

void NetworkBuilder::add_activation(ActivationKind kind) {
  if (kind == ActivationKind::kNone) return;
  if (kind != ActivationKind::kRelu) {
    push({ActivationOp{kind}, shape_, shape_});
    return;
  }
  auto* norm = last<NormOp>();
  if (norm != nullptr && norm->drop_of_256 == 0) {
    norm->relu_after = true;
  } else {
    push({GateOp{.relu = true}, shape_, shape_});
  }
}

template <typename T>
T* NetworkBuilder::last() {
  if (network_.ops_.empty() || network_.ops_.back().out != shape_) return nullptr;
  return std::get_if<T>(&network_.ops_.back().work);
}

GateOp& NetworkBuilder::open_gate() {
  GateOp* gate = last<GateOp>();
  if (gate == nullptr || gate->drop_of_256 != 0) push({GateOp{}, shape_, shape_});
  return *last<GateOp>();
}

void NetworkBuilder::push(Op op) {
  if (std::int64_t{op.out.height} * op.out.width > kMostValues / op.out.channels) {
    fail_shape(fmt::format("gives {}: at most {} values a sample are possible", text_of(op.out),
                           kMostValues));
  }
  shape_ = op.out;
  network_.ops_.push_back(std::move(op));
}

Range NetworkBuilder::place(const std::string& role, std::vector<std::int64_t> shape,
                            Initializer initializer) {
  std::int64_t size = 1;
  for (const std::int64_t extent : shape) {
    if (__builtin_mul_overflow(size, extent, &size) || size > kMostWeights) {
      fail_shape(fmt::format("a weight of {}: at most {} values are possible",
                             fmt::join(shape, "x"), kMostWeights));
    }
  }
  const std::int64_t first = network_.trainable_size_;
  const Range range{first, first + size};
  network_.trainable_size_ = first + aligned(size);
  network_.parameters_.push_back(
      {fmt::format("{}.{}.{}", index_, kind_, role), std::move(shape), range});
  network_.initializers_.push_back(initializer);
  info_.parameters += size;
  info_.trainable_parameters += size;
  return range;
}

// Its place is relative until the size of the trainable part is known.
Range NetworkBuilder::place_statistic(const std::string& role, int channels) {
  const std::int64_t first = statistics_.empty() ? 0 : aligned(statistics_.back().range.last);
  const Range range{first, first + channels};
  statistics_.push_back({fmt::format("{}.{}.{}", index_, kind_, role), {channels}, range});
  info_.parameters += channels;
  return range;
}

void NetworkBuilder::finish_placement() {
  const std::int64_t base = network_.trainable_size_;
  const auto shift = [base](Range& range) { range = {range.first + base, range.last + base}; };
  for (Parameter& parameter : statistics_) {
    shift(parameter.range);
    network_.parameters_.push_back(parameter);
  }
  network_.total_size_ =
      statistics_.empty() ? base : aligned(network_.parameters_.back().range.last);
  for (Op& op : network_.ops_) {
    auto* norm = std::get_if<NormOp>(&op.work);
    if (norm == nullptr) continue;
    shift(norm->running_mean);
    shift(norm->running_variance);
  }
}

}  // namespace lockstep
