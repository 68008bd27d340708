#include "gpu/device_ops.h"

#include <algorithm>
#include <vector>

#include "gpu/device.h"

namespace lockstep {

namespace {

constexpr std::int64_t kTile = 32;         // channels of a block, as in kernels/norm.cuh
constexpr std::int64_t kMostChunks = 256;  // of rows
constexpr std::int64_t kFewestRows = 64;   // of a chunk

// What both kinds of op share: the lane's dropout.
class DropoutPlace {
 public:
  DropoutPlace(const Network& network, const DropoutSource& source, int drop_of_256,
               std::uint32_t layer)
      : source_(source), drop_of_256_(drop_of_256) {
    const std::vector<std::uint32_t> layers = dropout_layers(network);
    place_ = std::find(layers.begin(), layers.end(), layer) - layers.begin();
  }

  gpu::Dropout in(const Pass& pass, std::int64_t elements) const {
    if (drop_of_256_ == 0 || pass.mode == Mode::kInfer) {
      return {
          .key = nullptr, .samples = nullptr, .elements = elements, .below = 0, .keep_scale = 1};
    }
    return {.key = source_.keys + 2 * place_,
            .samples = source_.samples,
            .elements = elements,
            .below = drop_of_256_,
            .keep_scale = keep_scale(drop_of_256_)};
  }

 private:
  DropoutSource source_;
  int drop_of_256_;
  std::ptrdiff_t place_;
};

class DeviceNorm final : public OpRunner {
 public:
  DeviceNorm(Accelerator& accelerator, const Network& network, const Op& op, at::ScalarType type,
             const DropoutSource& dropout)
      : accelerator_(accelerator),
        norm_(std::get<NormOp>(op.work)),
        op_(op),
        type_(type),
        dropout_(network, dropout, norm_.drop_of_256, norm_.drop_layer),
        by_channel_(device_zeros(accelerator, kValues * op.in.channels, at::kFloat)) {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    at::Tensor y = make_activations(pass, op_.out, type_);
    gpu::Norm norm = form(pass);
    at::Tensor partial;
    if (pass.mode == Mode::kTrain) {
      partial = make_partial(norm);
      norm.partial = partial.data_ptr<double>();
    }
    norm.x = x.const_data_ptr();
    norm.out = y.data_ptr();
    if (norm.training != 0) launch(accelerator_, gpu::kNormMoments, chunk_grid(norm), norm);
    launch(accelerator_, gpu::kNormFinish, channel_grid(), norm);
    launch(accelerator_, gpu::kNormForward, grid_of(norm.rows * norm.channels), norm);
    if (norm.training != 0) x_ = std::move(x);
    return y;
  }

  at::Tensor backward(const Pass& pass, at::Tensor dy) override {
    at::Tensor dx = make_activations(pass, op_.in, type_);
    gpu::Norm norm = form(pass);
    const at::Tensor partial = make_partial(norm);
    norm.partial = partial.data_ptr<double>();
    norm.x = x_.const_data_ptr();
    norm.dy = dy.const_data_ptr();
    norm.out = dx.data_ptr();
    launch(accelerator_, gpu::kNormSums, chunk_grid(norm), norm);
    launch(accelerator_, gpu::kNormGradients, channel_grid(), norm);
    launch(accelerator_, gpu::kNormBackward, grid_of(norm.rows * norm.channels), norm);
    x_.reset();
    return dx;
  }

 private:
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
    norm.relu_before = norm_.relu_before ? 1 : 0;
    norm.relu_after = norm_.relu_after ? 1 : 0;
    norm.training = pass.mode == Mode::kTrain ? 1 : 0;
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
    norm.scale_gradient = pass.gradient(norm_.scale);
    norm.shift_gradient = pass.gradient(norm_.shift);
    norm.mean_statistic = pass.statistic(norm_.running_mean);
    norm.variance_statistic = pass.statistic(norm_.running_variance);
    return norm;
  }

  at::Tensor make_partial(const gpu::Norm& norm) const {
    return at::empty({norm.chunks, norm.channels, 2},
                     at::TensorOptions(at::kDouble).device(device_of(accelerator_)));
  }

  Grid channel_grid() const {
    return {static_cast<unsigned>((op_.in.channels + kTile - 1) / kTile), 1, kBlockThreads};
  }
  Grid chunk_grid(const gpu::Norm& norm) const {
    return {channel_grid().blocks_x, static_cast<unsigned>(norm.chunks), kBlockThreads};
  }

  Accelerator& accelerator_;
  NormOp norm_;
  Op op_;
  at::ScalarType type_;
  DropoutPlace dropout_;
  at::Tensor by_channel_;
  at::Tensor x_;  // of the pass under way
};

class DeviceGate final : public OpRunner {
 public:
  DeviceGate(Accelerator& accelerator, const Network& network, const Op& op, at::ScalarType type,
             const DropoutSource& dropout)
      : accelerator_(accelerator),
        gate_(std::get<GateOp>(op.work)),
        op_(op),
        type_(type),
        dropout_(network, dropout, gate_.drop_of_256, gate_.drop_layer) {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    at::Tensor y = make_activations(pass, op_.out, type_);
    code_ = make_activations(pass, op_.out, at::kByte);
    gpu::Gate gate = form(pass);
    gate.in = x.const_data_ptr();
    gate.out = y.data_ptr();
    launch(accelerator_, gpu::kGateForward, grid_of(y.numel()), gate);
    return y;
  }

  at::Tensor backward(const Pass& pass, at::Tensor dy) override {
    at::Tensor dx = make_activations(pass, op_.in, type_);
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
            .size = gate_.pool_size,
            .stride = gate_.pool_stride,
            .relu = gate_.relu ? 1 : 0,
            .dropout = dropout_.in(pass, op_.out.pixels())};
  }

  Accelerator& accelerator_;
  GateOp gate_;
  Op op_;
  at::ScalarType type_;
  DropoutPlace dropout_;
  at::Tensor code_;  // of the pass under way
};

}  // namespace

std::vector<std::uint32_t> dropout_layers(const Network& network) {
  std::vector<std::uint32_t> layers;
  for (const Op& op : network.ops()) {
    const auto* norm = std::get_if<NormOp>(&op.work);
    const auto* gate = std::get_if<GateOp>(&op.work);
    if (norm != nullptr && norm->drop_of_256 > 0) layers.push_back(norm->drop_layer);
    if (gate != nullptr && gate->drop_of_256 > 0) layers.push_back(gate->drop_layer);
  }
  return layers;
}

OpChain make_device_ops(Accelerator& accelerator, const Network& network, Precision precision,
                        const DropoutSource& dropout) {
  return {network, precision,
          [&](const Op& op, at::ScalarType type, InputGradient input,
              Position position) -> std::unique_ptr<OpRunner> {
            if (std::holds_alternative<ConvOp>(op.work)) return make_torch_conv(op, type, input);
            if (std::holds_alternative<ActivationOp>(op.work)) return make_activation(op);
            if (std::holds_alternative<NormOp>(op.work)) {
              return std::make_unique<DeviceNorm>(accelerator, network, op, type, dropout);
            }
            if (std::holds_alternative<GateOp>(op.work)) {
              return std::make_unique<DeviceGate>(accelerator, network, op, type, dropout);
            }
            return position == Position::kLast ? make_logits(op, type, input)
                                               : make_torch_dense(op, type, input);
          }};
}

}  // namespace lockstep
