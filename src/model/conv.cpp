// Convolutions in channels-last layout: by our own kernels where the processor and the layer
// allow, or by LibTorch (oneDNN).

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>

#include <optional>
#include <utility>

#include "model/own_conv.h"
#include "model/own_runners.h"
#include "model/torch_runner.h"
#include "model/winograd.h"

namespace lockstep {

template <>
class TorchRunner<ConvOp> final : public UnaryRunner {
 public:
  TorchRunner(const ConvOp& conv, const OpContext& context) : conv_(conv), op_(context) {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    x = channels_first(x);
    if (!symmetric()) {
      x = at::constant_pad_nd(
          x, {conv_.columns.before, conv_.columns.after, conv_.rows.before, conv_.rows.after});
    }
    at::Tensor y =
        at::convolution(x, weight(pass), bias(pass), both(conv_.stride), padding(),
                        both(conv_.dilation), /*transposed=*/false, {0, 0}, conv_.groups);
    if (pass.keeps()) x_ = std::move(x);
    return channels_last(y).contiguous();
  }

  at::Tensor backward(const Pass& pass, at::Tensor dy) override {
    const bool needs_input = op_.input == InputGradient::kNeeded;
    const bool trains_weight = pass.changes(conv_.weight);
    const bool has_bias = conv_.bias && pass.changes(*conv_.bias);
    const auto bias_sizes =
        has_bias ? at::OptionalIntArrayRef(bias_shape_) : at::OptionalIntArrayRef();
    auto [dx, dw, db] = at::convolution_backward(
        channels_first(dy), x_, weight(pass), bias_sizes, both(conv_.stride), padding(),
        both(conv_.dilation), /*transposed=*/false, {0, 0}, conv_.groups,
        {needs_input, trains_weight, has_bias});
    x_.reset();
    if (trains_weight) {
      filters_first(view_floats(pass, pass.gradient(conv_.weight), stored_shape())).copy_(dw);
    }
    if (has_bias) view_floats(pass, pass.gradient(*conv_.bias), bias_shape_).copy_(db);
    if (!needs_input) return {};
    if (!symmetric()) {
      dx = dx.slice(2, conv_.rows.before, conv_.rows.before + op_.in.height)
               .slice(3, conv_.columns.before, conv_.columns.before + op_.in.width);
    }
    return channels_last(dx).contiguous();
  }

 private:
  using OfAxes = std::array<std::int64_t, 2>;

  static OfAxes both(std::int64_t value) { return {value, value}; }
  bool symmetric() const {
    return conv_.rows.before == conv_.rows.after && conv_.columns.before == conv_.columns.after;
  }
  OfAxes padding() const {
    return symmetric() ? OfAxes{conv_.rows.before, conv_.columns.before} : OfAxes{0, 0};
  }
  std::array<std::int64_t, 4> stored_shape() const {
    return {op_.out.channels, conv_.kernel, conv_.kernel, op_.in.channels / conv_.groups};
  }
  static at::Tensor filters_first(const at::Tensor& stored) { return stored.permute({0, 3, 1, 2}); }
  at::Tensor weight(const Pass& pass) const {
    return filters_first(view_weights(pass, conv_.weight, stored_shape(), op_.type));
  }
  std::optional<at::Tensor> bias(const Pass& pass) const {
    if (!conv_.bias) return std::nullopt;
    return view_weights(pass, *conv_.bias, bias_shape_, op_.type);
  }

  ConvOp conv_;
  OpContext op_;
  std::array<std::int64_t, 1> bias_shape_{op_.out.channels};
  at::Tensor x_;  // of the pass under way
};

template std::unique_ptr<OpRunner> make_torch_runner(const ConvOp&, const OpContext&);

namespace {

// By a DirectConv or a WinogradConv.
template <typename Body>
class OwnConv final : public UnaryRunner {
 public:
  using Out = typename Body::Value;

  OwnConv(const typename Body::Kernels& kernels, const ConvOp& conv, const OpContext& context)
      : conv_(conv), op_(context), body_(kernels, form_of(conv, context)) {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    at::Tensor y = make_activations(x.size(0), op_.out, op_.type);
    body_.forward(x.size(0), values<Out>(x), own_weights<Out>(pass, conv_.weight),
                  conv_.bias ? own_weights<Out>(pass, *conv_.bias) : nullptr, values<Out>(y));
    if (pass.keeps()) x_ = std::move(x);
    return y;
  }

  at::Tensor backward(const Pass& pass, at::Tensor dy) override {
    const std::int64_t samples = dy.size(0);
    at::Tensor dx;
    if (op_.input == InputGradient::kNeeded) dx = make_activations(samples, op_.in, op_.type);
    body_.backward(samples, values<Out>(x_), values<Out>(dy), own_weights<Out>(pass, conv_.weight),
                   gradient_or_null(pass, conv_.weight), dx.defined() ? values<Out>(dx) : nullptr);
    x_.reset();
    if (conv_.bias && pass.changes(*conv_.bias)) {
      sum_rows(values<Out>(dy), samples * op_.out.height * op_.out.width, op_.out.channels,
               pass.gradient(*conv_.bias));
    }
    return dx;
  }

  static ConvForm form_of(const ConvOp& conv, const OpContext& context) {
    return lockstep::form_of(conv, context.in, context.out,
                             context.input == InputGradient::kNeeded);
  }

 private:
  ConvOp conv_;
  OpContext op_;
  Body body_;
  at::Tensor x_;  // of the pass under way
};

template <typename In, typename Out>
using LoopRunner = OwnConv<DirectConv<In, Out>>;
template <typename In, typename Out>
using TileRunner = OwnConv<WinogradConv<In, Out>>;

}  // namespace

// Where products of bf16 are made by tiles, turning takes longer than the products that it saves.
std::unique_ptr<OpRunner> make_own_conv(const ConvOp& conv, const OpContext& context) {
  if (conv.groups != 1) return make_own_depthwise(conv, context);
  const bool has_tiles = context.type == at::kBFloat16 && tiled_conv_kernels() != nullptr;
  if (!has_tiles && suits_winograd(LoopRunner<float, float>::form_of(conv, context))) {
    return make_direct<TileRunner, TileKernels>(conv, context);
  }
  return make_direct<LoopRunner, LoopKernels>(conv, context);
}

}  // namespace lockstep
