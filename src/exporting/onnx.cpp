#include "lockstep/exporting/onnx.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <bit>
#include <limits>
#include <utility>
#include <vector>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr int kOperatorSet = 17;
constexpr const char* kInput = "pixels";
constexpr const char* kOutput = "logits";
constexpr const char* kBatch = "batch";
constexpr float kSquareRootOf2 = 1.41421356F;

static_assert(std::endian::native == std::endian::little);  // as raw_data must be

using Names = std::vector<std::string>;
using Shape = std::vector<std::int64_t>;

// A convolution's weight from [filters, kernel, kernel, inputs] to [filters, inputs,
// kernel, kernel].
std::vector<float> channels_first(std::span<const float> weight, std::size_t filters,
                                  std::size_t area, std::size_t inputs) {
  std::vector<float> values(weight.size());
  for (std::size_t f = 0; f < filters; ++f) {
    for (std::size_t place = 0; place < area; ++place) {
      for (std::size_t c = 0; c < inputs; ++c) {
        values[(f * inputs + c) * area + place] = weight[(f * area + place) * inputs + c];
      }
    }
  }
  return values;
}

void describe(onnx::ValueInfoProto& value, const char* name, const Shape& shape) {
  value.set_name(name);
  auto& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx::TensorProto::FLOAT);
  tensor.mutable_shape()->add_dim()->set_dim_param(kBatch);
  for (const std::int64_t extent : shape) {
    tensor.mutable_shape()->add_dim()->set_dim_value(extent);
  }
}

void set(onnx::NodeProto& node, const char* name, float value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::FLOAT);
  attribute.set_f(value);
}

void set(onnx::NodeProto& node, const char* name, std::int64_t value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

void set(onnx::NodeProto& node, const char* name, const Shape& values) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INTS);
  for (const std::int64_t value : values) attribute.add_ints(value);
}

// Appends the nodes of a model to a graph; value_ is the first input of a primitive, then the last
// node's output.
class GraphWriter {
 public:
  GraphWriter(const ExportedModel& model, onnx::GraphProto& graph)
      : model_(model), network_(model.network.graph()), graph_(graph) {}

  void write() {
    graph_.set_name("lockstep");
    const ImageShape& input = model_.network.input();
    describe(*graph_.add_input(), kInput, {input.channels, input.height, input.width});
    describe(*graph_.add_output(), kOutput, {model_.network.classes()});
    const Shape per_channel{1, input.channels, 1, 1};
    value_ = kInput;
    node("Mul", {value_, constant("pixel_factor", model_.factor, per_channel)});
    node("Add", {value_, constant("pixel_offset", model_.offset, per_channel)});
    names_.resize(network_.values.size());
    names_.front() = value_;
    for (const Primitive& primitive : network_.primitives) {
      in_.clear();
      for (const ValueId in : primitive.in) in_.push_back(names_[static_cast<std::size_t>(in)]);
      value_ = in_.front();
      std::visit([this](const auto& work) { add(work); }, primitive.work);
      names_[static_cast<std::size_t>(primitive.out)] = value_;
    }
    graph_.mutable_node(graph_.node_size() - 1)->set_output(0, kOutput);
  }

 private:
  onnx::NodeProto& node(const char* type, const Names& inputs) {
    onnx::NodeProto& node = *graph_.add_node();
    node.set_op_type(type);
    for (const std::string& input : inputs) node.add_input(input);
    value_ = fmt::format("{}_{}", type, graph_.node_size());
    node.set_name(value_);
    node.add_output(value_);
    return node;
  }

  // A tensor of the model; gives back its name.
  std::string constant(const std::string& name, std::span<const float> values, const Shape& shape) {
    onnx::TensorProto& tensor = *graph_.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t extent : shape) tensor.add_dims(extent);
    tensor.set_raw_data(values.data(), values.size_bytes());
    return name;
  }

  // A parameter of the network, under the name that it has in a checkpoint.
  template <typename Id>
  std::string mine(Id id) {
    const Parameter& parameter = network_.parameter(id);
    return constant(parameter.name, model_.values(parameter), parameter.shape);
  }

  std::string whole_numbers(const std::string& name, const Shape& values) {
    for (const onnx::TensorProto& known : graph_.initializer()) {
      if (known.name() == name) return name;
    }
    onnx::TensorProto& tensor = *graph_.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::INT64);
    tensor.add_dims(static_cast<std::int64_t>(values.size()));
    for (const std::int64_t value : values) tensor.add_int64_data(value);
    return name;
  }

  std::string number(float value) {
    return constant(fmt::format("number_{}", graph_.initializer_size()), {&value, 1}, {});
  }

  void add(const ConvOp& conv) {
    const Parameter& stored = network_.parameter(conv.weight);
    const std::int64_t filters = stored.shape.front();
    const std::int64_t inputs_of_one = stored.shape.back();
    const std::int64_t kernel = conv.kernel;
    const std::vector<float> weight = channels_first(
        model_.values(stored), static_cast<std::size_t>(filters),
        static_cast<std::size_t>(kernel * kernel), static_cast<std::size_t>(inputs_of_one));
    Names inputs{value_, constant(stored.name, weight, {filters, inputs_of_one, kernel, kernel})};
    if (conv.bias) inputs.push_back(mine(*conv.bias));
    onnx::NodeProto& made = node("Conv", inputs);
    set(made, "kernel_shape", Shape{kernel, kernel});
    set(made, "strides", Shape{conv.stride, conv.stride});
    set(made, "dilations", Shape{conv.dilation, conv.dilation});
    set(made, "group", std::int64_t{conv.groups});
    set(made, "pads",
        Shape{conv.rows.before, conv.columns.before, conv.rows.after, conv.columns.after});
  }

  void add(const DenseOp& dense) {
    Names inputs{value_, mine(dense.weight)};
    if (dense.bias) inputs.push_back(mine(*dense.bias));
    set(node("Gemm", inputs), "transB", std::int64_t{1});
  }

  void add(const BatchNormOp& norm) {
    set(node("BatchNormalization", {value_, mine(norm.scale), mine(norm.shift),
                                    mine(norm.running_mean), mine(norm.running_variance)}),
        "epsilon", norm.epsilon);
  }

  // Operator set 17 has no group norm: an instance norm of the groups, then scale and shift.
  void add(const GroupNormOp& norm) {
    const Parameter& scale = network_.parameter(norm.scale);
    const Parameter& shift = network_.parameter(norm.shift);
    const auto groups = static_cast<std::size_t>(norm.groups);
    const std::vector<float> ones(groups, 1);
    const std::vector<float> zeros(groups, 0);
    const std::string x = value_;
    node("Shape", {x});
    const std::string shape = value_;
    node("Reshape",
         {x, whole_numbers(fmt::format("groups_{}", norm.groups), {0, norm.groups, -1})});
    set(node("InstanceNormalization", {value_, constant(scale.name + ".ones", ones, {norm.groups}),
                                       constant(shift.name + ".zeros", zeros, {norm.groups})}),
        "epsilon", norm.epsilon);
    node("Reshape", {value_, shape});
    const Shape by_channel = norm.flat ? scale.shape : Shape{scale.shape.front(), 1, 1};
    node("Mul", {value_, constant(scale.name, model_.values(scale), by_channel)});
    node("Add", {value_, constant(shift.name, model_.values(shift), by_channel)});
  }

  // Of the channels, which come last in a flat vector alone.
  void add(const LayerNormOp& norm) {
    if (!norm.flat) set(node("Transpose", {value_}), "perm", Shape{0, 2, 3, 1});
    onnx::NodeProto& made =
        node("LayerNormalization", {value_, mine(norm.scale), mine(norm.shift)});
    set(made, "axis", std::int64_t{-1});
    set(made, "epsilon", norm.epsilon);
    if (!norm.flat) set(node("Transpose", {value_}), "perm", Shape{0, 3, 1, 2});
  }

  void add(const DropoutOp& /*dropout*/) {}
  void add(const DropPathOp& /*drop*/) {}
  void add(const AddOp& /*sum*/) { node("Add", in_); }
  void add(const MultiplyOp& /*multiply*/) { node("Mul", in_); }
  void add(const JoinOp& /*join*/) { set(node("Concat", in_), "axis", std::int64_t{1}); }

  void add(const MaxPoolOp& pool) {
    onnx::NodeProto& made = node("MaxPool", {value_});
    set(made, "kernel_shape", Shape{pool.size, pool.size});
    set(made, "strides", Shape{pool.stride, pool.stride});
    set(made, "pads", Shape(4, pool.padding));
  }

  void add(const PoolOp& pool) {
    const bool average = pool.kind == PoolOp::Kind::kAverage;
    onnx::NodeProto& made = node(average ? "AveragePool" : "MaxPool", {value_});
    set(made, "kernel_shape", Shape{pool.height, pool.width});
    set(made, "strides", Shape{pool.stride, pool.stride});
    set(made, "pads", Shape(4, pool.padding));
    if (average) set(made, "count_include_pad", std::int64_t{1});
  }

  // Pixels come before channels in a flat vector.
  void add(const FlattenOp& /*flatten*/) {
    set(node("Transpose", {value_}), "perm", Shape{0, 2, 3, 1});
    set(node("Flatten", {value_}), "axis", std::int64_t{1});
  }

  void add(const UnflattenOp& /*unflatten*/) {
    node("Unsqueeze", {value_, whole_numbers("image_axes", {2, 3})});
  }

  // x / 2 (1 + erf(x / sqrt 2)); operator set 17 has no Gelu.
  void gelu() {
    const std::string x = value_;
    node("Div", {x, number(kSquareRootOf2)});
    node("Erf", {value_});
    node("Add", {value_, number(1)});
    node("Mul", {value_, x});
    node("Mul", {value_, number(0.5F)});
  }

  void add(const ActivateOp& activate) {
    const std::string x = value_;
    switch (activate.kind) {
      case ActivationKind::kNone:
        return;
      case ActivationKind::kRelu:
        node("Relu", {x});
        return;
      case ActivationKind::kLeakyRelu:
        set(node("LeakyRelu", {x}), "alpha", static_cast<float>(kLeakyReluSlope));
        return;
      case ActivationKind::kGelu:
        return gelu();
      case ActivationKind::kSilu:
        node("Sigmoid", {x});
        node("Mul", {x, value_});
        return;
      case ActivationKind::kTanh:
        node("Tanh", {x});
        return;
      case ActivationKind::kSigmoid:
        node("Sigmoid", {x});
        return;
      case ActivationKind::kHardSwish:
        node("HardSwish", {x});
        return;
      case ActivationKind::kRelu6:
        node("Clip", {x, number(0), number(kRelu6Limit)});
        return;
    }
  }

  const ExportedModel& model_;
  const Graph& network_;
  onnx::GraphProto& graph_;
  std::string value_;
  Names in_;     // of the primitive being written
  Names names_;  // by value
};

}  // namespace

std::string to_onnx(const ExportedModel& model) {
  onnx::ModelProto file;
  file.set_ir_version(onnx::IR_VERSION);
  file.set_producer_name("lockstep");
  onnx::OperatorSetIdProto& set = *file.add_opset_import();
  set.set_domain("");
  set.set_version(kOperatorSet);
  for (const auto& [key, value] : model.metadata) {
    onnx::StringStringEntryProto& entry = *file.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  GraphWriter(model, *file.mutable_graph()).write();
  const std::size_t bytes = file.ByteSizeLong();
  if (bytes > std::numeric_limits<std::int32_t>::max()) {
    fail_usage("an ONNX file holds at most 2 GiB, and this model needs {} bytes", bytes);
  }
  return file.SerializeAsString();
}

}  // namespace lockstep
