#include "lockstep/model/torchscript.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <torch/csrc/jit/api/module.h>

#include <sstream>
#include <vector>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

// Registers parameters on a module and collects the lines of its forward().
class ScriptWriter {
 public:
  explicit ScriptWriter(const ExportedModel& model) : model_(model), module_("Lockstep") {}

  torch::jit::Module write() {
    module_.register_attribute("training", c10::BoolType::get(), false);
    shape_ = model_.network.input();
    const std::int64_t channels = shape_.channels;
    keep("pixel_factor", model_.factor, {1, channels, 1, 1}, Kind::kBuffer);
    keep("pixel_offset", model_.offset, {1, channels, 1, 1}, Kind::kBuffer);
    line("pixels.to(self.pixel_factor.dtype) * self.pixel_factor + self.pixel_offset");
    for (index_ = 0; index_ < model_.options.layers.size(); ++index_) {
      std::visit([this](const auto& layer) { add(layer); }, model_.options.layers[index_]);
      shape_ = model_.network.layers()[index_].output;
    }
    module_.define("def forward(self, pixels):\n" + source_ + "    return x\n");
    return module_;
  }

 private:
  enum class Kind { kParameter, kBuffer };

  void line(const std::string& expression) { source_ += "    x = " + expression + "\n"; }

  // The dimensions of `shape` are read in the order of `order` where that is given.
  void keep(const std::string& name, std::span<const float> values,
            const std::vector<std::int64_t>& shape, Kind kind,
            const std::vector<std::int64_t>& order = {}) {
    const at::Tensor view = at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat);
    const at::Tensor own = (order.empty() ? view : view.permute(order)).contiguous().clone();
    module_.register_parameter(name, own, kind == Kind::kBuffer);
  }

  // Registers a parameter of the layer under way; what forward() calls it.
  std::string mine(const char* layer, const char* role, const std::vector<std::int64_t>& shape,
                   Kind kind = Kind::kParameter, const std::vector<std::int64_t>& order = {}) {
    const std::string name = fmt::format("{}_{}_{}", layer, index_, role);
    keep(name, model_.parameter(index_, role), shape, kind, order);
    return "self." + name;
  }

  void add(const ConvOptions& conv) {
    const Margins margins = margins_of(conv, shape_);
    const std::int64_t filters = conv.filters;
    const std::string weight =
        mine("conv", "weight", {filters, conv.kernel, conv.kernel, shape_.channels},
             Kind::kParameter, {0, 3, 1, 2});
    const std::string bias = conv.bias ? mine("conv", "bias", {filters}) : "None";
    if (margins.after > 0) {
      line(fmt::format("torch.constant_pad_nd(x, [{0}, {1}, {0}, {1}], 0.)", margins.before,
                       margins.after));
    }
    line(fmt::format("torch.conv2d(x, {0}, {1}, [{2}, {2}])", weight, bias, conv.stride));
    activate(conv.activation);
  }

  void add(const DenseOptions& dense) {
    flatten();
    const std::string weight = mine("dense", "weight", {dense.units, shape_.channels});
    const std::string bias = dense.bias ? mine("dense", "bias", {dense.units}) : "None";
    line(fmt::format("torch.linear(x, {}, {})", weight, bias));
    activate(dense.activation);
  }

  void add(const BatchNormOptions& norm) {
    const std::vector<std::int64_t> shape{shape_.channels};
    const std::string scale = mine("batch_norm", "scale", shape);
    const std::string shift = mine("batch_norm", "shift", shape);
    const std::string mean = mine("batch_norm", "running_mean", shape, Kind::kBuffer);
    const std::string variance = mine("batch_norm", "running_variance", shape, Kind::kBuffer);
    line(fmt::format("torch.batch_norm(x, {}, {}, {}, {}, False, 0., {:.9e}, False)", scale, shift,
                     mean, variance, norm.epsilon));
  }

  void add(const DropoutOptions& /*dropout*/) {}

  void add(const MaxPoolOptions& pool) {
    line(fmt::format("torch.max_pool2d(x, [{0}, {0}], [{1}, {1}])", pool.size, stride_of(pool)));
  }

  void add(const FlattenOptions& /*flatten*/) { flatten(); }

  void add(const ActivationOptions& activation) { activate(activation.kind); }

  // Pixels come before channels in a flat vector.
  void flatten() {
    if (flat_) return;
    flat_ = true;
    line("torch.flatten(torch.permute(x, [0, 2, 3, 1]), 1)");
  }

  void activate(ActivationKind kind) {
    switch (kind) {
      case ActivationKind::kNone:
        return;
      case ActivationKind::kRelu:
        return line("torch.relu(x)");
      case ActivationKind::kLeakyRelu:
        return line(fmt::format("torch.leaky_relu(x, {})", kLeakyReluSlope));
      case ActivationKind::kGelu:
        return line("torch.gelu(x)");
      case ActivationKind::kSilu:
        return line("torch.silu(x)");
      case ActivationKind::kTanh:
        return line("torch.tanh(x)");
      case ActivationKind::kSigmoid:
        return line("torch.sigmoid(x)");
    }
  }

  const ExportedModel& model_;
  torch::jit::Module module_;
  std::string source_;
  ImageShape shape_;  // of x, one sample
  bool flat_ = false;
  std::size_t index_ = 0;  // of the layer under way
};

}  // namespace

std::string to_torchscript(const ExportedModel& model) {
  const torch::jit::Module module = ScriptWriter(model).write();
  std::ostringstream out;
  module.save(out, {model.metadata.begin(), model.metadata.end()});
  return std::move(out).str();
}

}  // namespace lockstep
