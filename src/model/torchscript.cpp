#include "lockstep/model/torchscript.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/jit/api/module.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <vector>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

// "conv_0_weight" of "0.conv.weight", "residual_3_1_conv_weight" of "3.residual.1.conv.weight": a
// name in Python begins with a letter.
std::string script_name(const std::string& name) {
  const std::size_t first = name.find('.');
  const std::size_t second = name.find('.', first + 1);
  std::string rest = name.substr(second + 1);
  std::replace(rest.begin(), rest.end(), '.', '_');
  return fmt::format("{}_{}_{}", name.substr(first + 1, second - first - 1), name.substr(0, first),
                     rest);
}

// Registers parameters on a module and collects the lines of its forward().
class ScriptWriter {
 public:
  explicit ScriptWriter(const ExportedModel& model)
      : model_(model), graph_(model.network.graph()), module_("Lockstep") {}

  torch::jit::Module write() {
    module_.register_attribute("training", c10::BoolType::get(), false);
    const std::int64_t channels = model_.network.input().channels;
    keep("pixel_factor", model_.factor, {1, channels, 1, 1}, Kind::kBuffer);
    keep("pixel_offset", model_.offset, {1, channels, 1, 1}, Kind::kBuffer);
    out_ = variable(ValueId{0});
    line("pixels.to(self.pixel_factor.dtype) * self.pixel_factor + self.pixel_offset");
    for (const Primitive& primitive : graph_.primitives) {
      in_.clear();
      for (const ValueId in : primitive.in) in_.push_back(variable(in));
      out_ = variable(primitive.out);
      std::visit([this](const auto& work) { add(work); }, primitive.work);
    }
    module_.define("def forward(self, pixels):\n" + source_ + "    return " + out_ + "\n");
    return module_;
  }

 private:
  enum class Kind { kParameter, kBuffer };

  static std::string variable(ValueId id) {
    return fmt::format("x{}", static_cast<std::size_t>(id));
  }

  // The first input of the primitive being written.
  const std::string& x() const { return in_.front(); }

  void line(const std::string& expression) {
    source_ += fmt::format("    {} = {}\n", out_, expression);
  }

  // The dimensions of `shape` are read in the order of `order` where that is given.
  void keep(const std::string& name, std::span<const float> values,
            const std::vector<std::int64_t>& shape, Kind kind,
            const std::vector<std::int64_t>& order = {}) {
    const at::Tensor view = at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat);
    const at::Tensor own = (order.empty() ? view : view.permute(order)).contiguous().clone();
    module_.register_parameter(name, own, kind == Kind::kBuffer);
  }

  // Registers a parameter; what forward() calls it: "self.conv_0_weight".
  template <typename Id>
  std::string mine(Id id, const std::vector<std::int64_t>& order = {}) {
    const Parameter& parameter = graph_.parameter(id);
    const std::string name = script_name(parameter.name);
    keep(name, model_.values(parameter), parameter.shape,
         is_statistic(parameter.role) ? Kind::kBuffer : Kind::kParameter, order);
    return "self." + name;
  }

  std::string mine_or_none(const std::optional<ParameterId>& id) { return id ? mine(*id) : "None"; }

  void add(const ConvOp& conv) {
    const std::string weight = mine(conv.weight, {0, 3, 1, 2});
    const std::string bias = mine_or_none(conv.bias);
    std::string padded = x();
    const Margin& rows = conv.rows;
    const Margin& columns = conv.columns;
    const bool symmetric = rows.before == rows.after && columns.before == columns.after;
    if (!symmetric) {
      padded = fmt::format("torch.constant_pad_nd({}, [{}, {}, {}, {}], 0.)", padded,
                           columns.before, columns.after, rows.before, rows.after);
    }
    line(fmt::format("torch.conv2d({0}, {1}, {2}, [{3}, {3}], [{4}, {5}], [{6}, {6}], {7})", padded,
                     weight, bias, conv.stride, symmetric ? rows.before : 0,
                     symmetric ? columns.before : 0, conv.dilation, conv.groups));
  }

  void add(const DenseOp& dense) {
    const std::string weight = mine(dense.weight);
    line(fmt::format("torch.linear({}, {}, {})", x(), weight, mine_or_none(dense.bias)));
  }

  void add(const BatchNormOp& norm) {
    const std::string scale = mine(norm.scale);
    const std::string shift = mine(norm.shift);
    const std::string mean = mine(norm.running_mean);
    const std::string variance = mine(norm.running_variance);
    line(fmt::format("torch.batch_norm({}, {}, {}, {}, {}, False, 0., {:.9e}, False)", x(), scale,
                     shift, mean, variance, norm.epsilon));
  }

  void add(const GroupNormOp& norm) {
    const std::string scale = mine(norm.scale);
    line(fmt::format("torch.group_norm({}, {}, {}, {}, {:.9e})", x(), norm.groups, scale,
                     mine(norm.shift), norm.epsilon));
  }

  // Of the channels, which come last in a flat vector alone.
  void add(const LayerNormOp& norm) {
    const std::string scale = mine(norm.scale);
    const std::string shift = mine(norm.shift);
    const std::string last = norm.flat ? x() : fmt::format("torch.permute({}, [0, 2, 3, 1])", x());
    const std::string y =
        fmt::format("torch.layer_norm({}, [{}], {}, {}, {:.9e})", last,
                    graph_.parameter(norm.scale).shape.front(), scale, shift, norm.epsilon);
    line(norm.flat ? y : fmt::format("torch.permute({}, [0, 3, 1, 2])", y));
  }

  void add(const DropoutOp& /*dropout*/) { line(x()); }
  void add(const DropPathOp& /*drop*/) { line(x()); }
  void add(const AddOp& /*sum*/) { line(in_[0] + " + " + in_[1]); }
  void add(const MultiplyOp& /*multiply*/) { line(in_[0] + " * " + in_[1]); }
  void add(const JoinOp& /*join*/) {
    line(fmt::format("torch.cat([{}], 1)", fmt::join(in_, ", ")));
  }

  void add(const MaxPoolOp& pool) {
    line(fmt::format("torch.max_pool2d({0}, [{1}, {1}], [{2}, {2}], [{3}, {3}])", x(), pool.size,
                     pool.stride, pool.padding));
  }

  void add(const PoolOp& pool) {
    const bool average = pool.kind == PoolOp::Kind::kAverage;
    line(fmt::format("torch.{0}_pool2d({1}, [{2}, {3}], [{4}, {4}], [{5}, {5}])",
                     average ? "avg" : "max", x(), pool.height, pool.width, pool.stride,
                     pool.padding));
  }

  // Pixels come before channels in a flat vector.
  void add(const FlattenOp& /*flatten*/) {
    line(fmt::format("torch.flatten(torch.permute({}, [0, 2, 3, 1]), 1)", x()));
  }

  void add(const UnflattenOp& /*unflatten*/) {
    line(fmt::format("torch.unsqueeze(torch.unsqueeze({}, 2), 3)", x()));
  }

  void add(const ActivateOp& activate) {
    switch (activate.kind) {
      case ActivationKind::kNone:
        return;
      case ActivationKind::kRelu:
        return line(fmt::format("torch.relu({})", x()));
      case ActivationKind::kLeakyRelu:
        return line(fmt::format("torch.leaky_relu({}, {})", x(), kLeakyReluSlope));
      case ActivationKind::kGelu:
        return line(fmt::format("torch.gelu({})", x()));
      case ActivationKind::kSilu:
        return line(fmt::format("torch.silu({})", x()));
      case ActivationKind::kTanh:
        return line(fmt::format("torch.tanh({})", x()));
      case ActivationKind::kSigmoid:
        return line(fmt::format("torch.sigmoid({})", x()));
      case ActivationKind::kHardSwish:
        return line(fmt::format("{0} * torch.clamp({0} + 3., 0., 6.) / 6.", x()));
      case ActivationKind::kRelu6:
        return line(fmt::format("torch.clamp({}, 0., 6.)", x()));
    }
  }

  const ExportedModel& model_;
  const Graph& graph_;
  torch::jit::Module module_;
  std::string source_;
  // Of the primitive being written, variables:
  std::vector<std::string> in_;
  std::string out_;
};

}  // namespace

std::string to_torchscript(const ExportedModel& model) {
  const torch::jit::Module module = ScriptWriter(model).write();
  std::ostringstream out;
  module.save(out, {model.metadata.begin(), model.metadata.end()});
  return std::move(out).str();
}

}  // namespace lockstep
