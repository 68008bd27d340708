// Convolutions of each channel alone, 3x3, by our own kernels.

#include <algorithm>
#include <utility>
#include <vector>

#include "lockstep/model/op_runner.h"
#include "model/kernels.h"
#include "model/own_conv.h"
#include "model/own_runners.h"

namespace lockstep {

namespace {

constexpr int kTaps = 9;

template <typename T>
class OwnDepthwise final : public UnaryRunner {
 public:
  OwnDepthwise(const ConvOp& conv, const OpContext& context)
      : conv_(conv),
        op_(context),
        form_{.samples = 0,
              .height = context.in.height,
              .width = context.in.width,
              .channels = context.in.channels,
              .out_height = context.out.height,
              .out_width = context.out.width,
              .stride = conv.stride,
              .top = conv.rows.before,
              .left = conv.columns.before},
        zeros_(static_cast<std::size_t>(std::max(form_.width, form_.out_width) * form_.channels)),
        sums_(static_cast<std::size_t>(kTaps * form_.channels)) {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    form_.samples = x.size(0);
    at::Tensor y = make_activations(form_.samples, op_.out, op_.type);
    const std::vector<float> weights = taps(pass);
    const std::vector<float> bias =
        conv_.bias ? floats(pass, *conv_.bias, form_.channels) : std::vector<float>();
    kernels().of<T>().depthwise_forward(form_, values<T>(x), weights.data(),
                                        conv_.bias ? bias.data() : nullptr, zeros_.data(),
                                        values<T>(y));
    if (pass.keeps()) x_ = std::move(x);
    return y;
  }

  at::Tensor backward(const Pass& pass, at::Tensor dy) override {
    if (pass.changes(conv_.weight)) {
      std::fill(sums_.begin(), sums_.end(), 0.0F);
      kernels().of<T>().depthwise_backward_weight(form_, values<T>(x_), values<T>(dy),
                                                  zeros_.data(), sums_.data());
      arrange_kernels().transpose(sums_.data(), kTaps, form_.channels, form_.channels,
                                  pass.gradient(conv_.weight), kTaps);
    }
    x_.reset();
    if (conv_.bias && pass.changes(*conv_.bias)) {
      kernels().of<T>().sum_rows(values<T>(dy), form_.samples * form_.out_height * form_.out_width,
                                 form_.channels, pass.gradient(*conv_.bias));
    }
    if (op_.input == InputGradient::kUnused) return {};
    at::Tensor dx = make_activations(form_.samples, op_.in, op_.type);
    backward_input(taps(pass), values<T>(dy), values<T>(dx));
    return dx;
  }

 private:
  // With a stride of 1 a forward pass from dy, with the taps in turned order.
  void backward_input(std::vector<float> weights, const T* dy, T* dx) const {
    if (form_.stride == 2) {
      kernels().of<T>().depthwise_backward_input(form_, dy, weights.data(), zeros_.data(), dx);
      return;
    }
    const auto channels = static_cast<std::size_t>(form_.channels);
    for (std::size_t tap = 0; tap < kTaps / 2; ++tap) {
      const auto first = weights.begin() + static_cast<std::ptrdiff_t>(tap * channels);
      const auto last = weights.begin() + static_cast<std::ptrdiff_t>((kTaps - 1 - tap) * channels);
      std::swap_ranges(first, first + form_.channels, last);
    }
    const DepthwiseForm back{.samples = form_.samples,
                             .height = form_.out_height,
                             .width = form_.out_width,
                             .channels = form_.channels,
                             .out_height = form_.height,
                             .out_width = form_.width,
                             .stride = 1,
                             .top = 2 - form_.top,
                             .left = 2 - form_.left};
    kernels().of<T>().depthwise_forward(back, dy, weights.data(), nullptr, zeros_.data(), dx);
  }

  // A parameter as the activations' type rounds it.
  std::vector<float> floats(const Pass& pass, ParameterId id, std::int64_t count) const {
    std::vector<float> floats(static_cast<std::size_t>(count));
    if constexpr (sizeof(T) == sizeof(float)) {
      std::copy_n(pass.values(id), count, floats.data());
    } else {
      arrange_kernels().widen(pass.rounded(id), count, floats.data());
    }
    return floats;
  }

  // [channels, 3, 3] to [3, 3, channels].
  std::vector<float> taps(const Pass& pass) const {
    const std::vector<float> stored = floats(pass, conv_.weight, kTaps * form_.channels);
    std::vector<float> taps(stored.size());
    arrange_kernels().transpose(stored.data(), form_.channels, kTaps, kTaps, taps.data(),
                                form_.channels);
    return taps;
  }

  ConvOp conv_;
  OpContext op_;
  DepthwiseForm form_;
  std::vector<T> zeros_;     // a row
  std::vector<float> sums_;  // [3, 3, channels]
  at::Tensor x_;             // of the pass under way
};

bool suits(const ConvOp& conv, const OpContext& context) {
  const auto fits = [](const Margin& margin) { return margin.before >= 0 && margin.before <= 2; };
  return conv.groups == context.in.channels && conv.groups == context.out.channels &&
         conv.groups % kFiltersOfVector == 0 && conv.kernel == 3 && conv.dilation == 1 &&
         (conv.stride == 1 || conv.stride == 2) && fits(conv.rows) && fits(conv.columns);
}

}  // namespace

std::unique_ptr<OpRunner> make_own_depthwise(const ConvOp& conv, const OpContext& context) {
  if (!suits(conv, context)) return nullptr;
  if (context.type == at::kFloat) return std::make_unique<OwnDepthwise<float>>(conv, context);
  return std::make_unique<OwnDepthwise<Bf16>>(conv, context);
}

}  // namespace lockstep
