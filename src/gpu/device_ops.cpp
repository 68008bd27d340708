#include "gpu/device_ops.h"

#include <algorithm>
#include <vector>

#include "gpu/device.h"
#include "lockstep/core/match.h"
#include "lockstep/model/drop_path.h"

namespace lockstep {

namespace {

constexpr std::int64_t kMostChunks = 256;  // of rows
constexpr std::int64_t kFewestRows = 64;   // of a chunk

// What both kinds of op share: the lane's dropout.
class DeviceDropout {
 public:
  DeviceDropout(const Network& network, const DropoutSource& source, const DropoutOp& drop)
      : source_(source), drop_(drop) {
    const std::vector<std::uint32_t> layers = dropout_layers(network);
    index_ = std::find(layers.begin(), layers.end(), drop.layer) - layers.begin();
  }

  gpu::Dropout in(const Pass& pass, std::int64_t elements) const {
    if (!drop_.drops() || pass.mode == Mode::kInfer) {
      return {
          .key = nullptr, .samples = nullptr, .elements = elements, .below = 0, .keep_scale = 1};
    }
    return {.key = source_.keys + 2 * index_,
            .samples = source_.samples,
            .elements = elements,
            .below = drop_.of_256,
            .keep_scale = drop_.keep_scale()};
  }

 private:
  DropoutSource source_;
  DropoutOp drop_;
  std::ptrdiff_t index_;  // among the network's dropouts
};

class DeviceNorm final : public OpRunner {
 public:
  DeviceNorm(Accelerator& accelerator, const Network& network, const NormOp& norm,
             const OpContext& context, const DropoutSource& dropout)
      : accelerator_(accelerator),
        norm_(norm.norm),
        fused_(norm),
        op_(context),
        dropout_(network, dropout, norm.drop),
        by_channel_(device_zeros(accelerator, kValues * context.in.channels, at::kFloat)) {}

  at::Tensor forward_all(const Pass& pass, Tensors inputs) override {
    at::Tensor x = std::move(inputs.front());
    at::Tensor y = make_activations(pass, op_.out, op_.type);
    gpu::Norm norm = form(pass);
    at::Tensor partial;
    if (norm.training != 0) {
      partial = make_partial(norm);
      norm.partial = partial.data_ptr<double>();
    }
    norm.x = x.const_data_ptr();
    norm.out = y.data_ptr();
    if (fused_.adds) norm.added = inputs[1].const_data_ptr();
    if (norm.training != 0) launch(accelerator_, gpu::kNormMoments, chunk_grid(norm), norm);
    launch(accelerator_, gpu::kNormFinish, channel_grid(), norm);
    launch(accelerator_, gpu::kNormForward, grid_of(norm.rows * norm.channels), norm);
    if (pass.keeps()) x_ = std::move(x);
    if (pass.keeps() && is_relu_of_sum()) y_ = y;
    return y;
  }

  Tensors backward_all(const Pass& pass, at::Tensor dy) override {
    gpu::Norm norm = form(pass);
    const at::Tensor partial = make_partial(norm);
    norm.partial = partial.data_ptr<double>();
    norm.x = x_.const_data_ptr();
    norm.dy = dy.const_data_ptr();
    at::Tensor passed;
    if (is_relu_of_sum()) {
      passed = make_activations(pass, op_.out, op_.type);
      norm.y = y_.const_data_ptr();
      norm.passed = passed.data_ptr();
    }
    if (norm.training != 0 || passed.defined()) {
      launch(accelerator_, gpu::kNormSums, chunk_grid(norm), norm);
    }
    if (norm.training != 0) {
      launch(accelerator_, gpu::kNormGradients, channel_grid(), norm);
    } else {
      norm.kd = norm.factor;  // of a frozen one; kx and k1 stay 0
    }
    if (passed.defined()) {
      dy = std::move(passed);
      norm.dy = dy.const_data_ptr();
      norm.passed = nullptr;
      norm.relu_after = 0;
    }
    y_.reset();
    if (op_.input == InputGradient::kUnused) {
      x_.reset();
      return Tensors(fused_.adds ? 2 : 1);
    }
    at::Tensor dx = make_activations(pass, op_.in, op_.type);
    norm.out = dx.data_ptr();
    launch(accelerator_, gpu::kNormBackward, grid_of(norm.rows * norm.channels), norm);
    x_.reset();
    if (fused_.adds) return {dx, dy};
    return {dx};
  }

 private:
  bool is_relu_of_sum() const { return fused_.adds && fused_.relu_after; }

  static constexpr int kValues = 7;  // mean, variance, factor, offset, kd, kx, k1

  gpu::Norm form(const Pass& pass) const {
    gpu::Norm norm{};
    norm.rows = std::int64_t{pass.samples} * op_.in.height * op_.in.width;
    norm.channels = op_.in.channels;
    const std::int64_t least = (norm.rows + kMostChunks - 1) / kMostChunks;
    norm.chunk_rows = static_cast<int>(std::max(least, kFewestRows));
    norm.chunks = static_cast<int>((norm.rows + norm.chunk_rows - 1) / norm.chunk_rows);
    norm.samples = pass.samples;
    norm.epsilon = norm_.epsilon;
    norm.relu_before = fused_.relu_before ? 1 : 0;
    norm.relu_after = fused_.relu_after ? 1 : 0;
    norm.training = pass.mode == Mode::kTrain && pass.changes(norm_.running_mean) ? 1 : 0;
    norm.relu_limit = fused_.relu_limit;
    float* values = by_channel_.data_ptr<float>();
    for (float** each :
         {&norm.mean, &norm.variance, &norm.factor, &norm.offset, &norm.kd, &norm.kx, &norm.k1}) {
      *each = values;
      values += op_.in.channels;
    }
    norm.scale = pass.values(norm_.scale);
    norm.shift = pass.values(norm_.shift);
    norm.running_mean = pass.values(norm_.running_mean);
    norm.running_variance = pass.values(norm_.running_variance);
    norm.dropout = dropout_.in(pass, op_.in.pixels());
    if (norm.training == 0) return norm;
    if (pass.changes(norm_.scale)) norm.scale_gradient = pass.gradient(norm_.scale);
    if (pass.changes(norm_.shift)) norm.shift_gradient = pass.gradient(norm_.shift);
    norm.mean_statistic = pass.statistic(norm_.running_mean);
    norm.variance_statistic = pass.statistic(norm_.running_variance);
    return norm;
  }

  at::Tensor make_partial(const gpu::Norm& norm) const {
    return at::empty({norm.chunks, norm.channels, 2},
                     at::TensorOptions(at::kDouble).device(device_of(accelerator_)));
  }

  Grid channel_grid() const {
    return {static_cast<unsigned>((op_.in.channels + gpu::kNormTile - 1) / gpu::kNormTile), 1,
            kBlockThreads};
  }
  Grid chunk_grid(const gpu::Norm& norm) const {
    return {channel_grid().blocks_x, static_cast<unsigned>(norm.chunks), kBlockThreads};
  }

  Accelerator& accelerator_;
  BatchNormOp norm_;
  NormOp fused_;
  OpContext op_;
  DeviceDropout dropout_;
  at::Tensor by_channel_;
  at::Tensor x_, y_;  // of the pass under way
};

class DeviceGate final : public UnaryRunner {
 public:
  DeviceGate(Accelerator& accelerator, const Network& network, const GateOp& gate,
             const OpContext& context, const DropoutSource& dropout)
      : accelerator_(accelerator),
        gate_(gate),
        op_(context),
        dropout_(network, dropout, gate.drop) {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    at::Tensor y = make_activations(pass, op_.out, op_.type);
    code_ = make_activations(pass, op_.out, at::kByte);
    gpu::Gate gate = form(pass);
    gate.in = x.const_data_ptr();
    gate.out = y.data_ptr();
    launch(accelerator_, gpu::kGateForward, grid_of(y.numel()), gate);
    return y;
  }

  at::Tensor backward(const Pass& pass, at::Tensor dy) override {
    at::Tensor dx = make_activations(pass, op_.in, op_.type);
    gpu::Gate gate = form(pass);
    gate.in = dy.const_data_ptr();
    gate.out = dx.data_ptr();
    launch(accelerator_, gpu::kGateBackward, grid_of(dx.numel()), gate);
    code_.reset();
    return dx;
  }

 private:
  gpu::Gate form(const Pass& pass) const {
    return {.in = nullptr,
            .out = nullptr,
            .code = code_.data_ptr<std::uint8_t>(),
            .samples = pass.samples,
            .height = op_.in.height,
            .width = op_.in.width,
            .channels = op_.in.channels,
            .out_height = op_.out.height,
            .out_width = op_.out.width,
            .size = gate_.pool.size,
            .stride = gate_.pool.stride,
            .padding = gate_.pool.padding,
            .relu = gate_.relu ? 1 : 0,
            .dropout = dropout_.in(pass, op_.out.pixels())};
  }

  Accelerator& accelerator_;
  GateOp gate_;
  OpContext op_;
  DeviceDropout dropout_;
  at::Tensor code_;  // of the pass under way
};

// The mask of a dropout of one value a sample.
class DeviceDropPath final : public DropPath {
 public:
  DeviceDropPath(Accelerator& accelerator, const Network& network, const DropPathOp& drop,
                 const OpContext& context, const DropoutSource& dropout)
      : accelerator_(accelerator), type_(context.type), dropout_(network, dropout, drop.drop) {}

 private:
  at::Tensor factors(const Pass& pass) override {
    const at::Tensor ones = make_activations(pass, {1, 1, 1}, type_).fill_(1);
    at::Tensor factors = make_activations(pass, {1, 1, 1}, type_);
    at::Tensor code = make_activations(pass, {1, 1, 1}, at::kByte);
    launch(accelerator_, gpu::kGateForward, grid_of(pass.samples),
           gpu::Gate{.in = ones.const_data_ptr(),
                     .out = factors.data_ptr(),
                     .code = code.data_ptr<std::uint8_t>(),
                     .samples = pass.samples,
                     .height = 1,
                     .width = 1,
                     .channels = 1,
                     .out_height = 1,
                     .out_width = 1,
                     .size = 1,
                     .stride = 1,
                     .padding = 0,
                     .relu = 0,
                     .dropout = dropout_.in(pass, 1)});
    return factors;
  }

  Accelerator& accelerator_;
  at::ScalarType type_;
  DeviceDropout dropout_;
};

}  // namespace

std::vector<std::uint32_t> dropout_layers(const Network& network) {
  std::vector<std::uint32_t> layers;
  for (const Primitive& primitive : network.graph().primitives) {
    if (const auto* drop = std::get_if<DropoutOp>(&primitive.work)) layers.push_back(drop->layer);
    if (const auto* path = std::get_if<DropPathOp>(&primitive.work)) {
      layers.push_back(path->drop.layer);
    }
  }
  return layers;
}

PlanRunner make_device_ops(Accelerator& accelerator, const Network& network, Precision precision,
                           const DropoutSource& dropout) {
  return {network, precision, [&](const Op& op, const OpContext& context) {
            using Runner = std::unique_ptr<OpRunner>;
            return std::visit(
                Match{[&](const NormOp& norm) -> Runner {
                        return std::make_unique<DeviceNorm>(accelerator, network, norm, context,
                                                            dropout);
                      },
                      [&](const GateOp& gate) -> Runner {
                        return std::make_unique<DeviceGate>(accelerator, network, gate, context,
                                                            dropout);
                      },
                      [&](const DropPathOp& drop) -> Runner {
                        return std::make_unique<DeviceDropPath>(accelerator, network, drop, context,
                                                                dropout);
                      },
                      [&](const auto& work) { return make_torch_runner(work, context); }},
                op.work);
          }};
}

}  // namespace lockstep
