#include "model/conv_bf16.h"

#include <algorithm>

#include "lockstep/model/lane_executor.h"

namespace lockstep {

namespace {

constexpr std::int64_t kVector = 16;
// Values of x and dy that go through backward() together: enough to keep sums in
// registers for a while, few enough to stay in a core's cache.
constexpr std::int64_t kGroupValues = 48 * 1024;

Correlation forward_form(const ConvOp& conv, const ImageShape& in, const ImageShape& out) {
  return {.samples = 0,
          .height = in.height,
          .width = in.width + conv.columns.before + conv.columns.after,
          .channels = in.channels,
          .out_height = out.height,
          .out_width = out.width,
          .filters = out.channels,
          .kernel = conv.kernel,
          .top = conv.rows.before};
}

// The gradient of the input is a correlation of the output's with the weights
// turned by half a circle.
Correlation backward_form(const ConvOp& conv, const ImageShape& in, const ImageShape& out) {
  return {.samples = 0,
          .height = out.height,
          .width = in.width + conv.kernel - 1,
          .channels = out.channels,
          .out_height = in.height,
          .out_width = in.width,
          .filters = in.channels,
          .kernel = conv.kernel,
          .top = conv.kernel - 1 - conv.rows.before};
}

}  // namespace

bool ConvBf16::can_train(const ConvOp& conv, const ImageShape& in, const ImageShape& out,
                         bool input_gradient) {
  return has_bf16_instructions() && conv.stride == 1 && conv.dilation == 1 && conv.groups == 1 &&
         conv.rows == conv.columns && out.channels % kVector == 0 &&
         (!input_gradient || in.channels % kVector == 0) &&
         std::max(conv.rows.before, conv.rows.after) < conv.kernel;
}

ConvBf16::ConvBf16(const ConvOp& conv, const ImageShape& in, const ImageShape& out)
    : kernels_(kConvBf16Kernels),
      forward_(forward_form(conv, in, out)),
      backward_(backward_form(conv, in, out)),
      left_(conv.columns.before),
      right_(conv.columns.after) {}

void ConvBf16::forward(std::int64_t samples, const std::uint16_t* x, const std::uint16_t* weight,
                       const std::uint16_t* bias, std::uint16_t* y) {
  forward_.samples = samples;
  arrange_weight(weight);
  x = with_columns(x, samples * forward_.height, forward_.width - left_ - right_, forward_.channels,
                   left_, right_);
  kernels_.correlate(forward_, x, weights_.data(), bias, y);
}

// A few samples at a time: what comes from one copy of dy is done while it is in
// the core's cache.
void ConvBf16::backward(std::int64_t samples, const std::uint16_t* x, const std::uint16_t* dy,
                        const std::uint16_t* weight, float* dweight, std::uint16_t* dx) {
  const std::int64_t taps = forward_.kernel * forward_.taps();
  const std::int64_t x_size =
      forward_.height * (forward_.width - left_ - right_) * forward_.channels;
  const std::int64_t dy_size = forward_.out_height * forward_.out_width * forward_.filters;
  const std::int64_t group = std::max<std::int64_t>(1, kGroupValues / (x_size + dy_size));
  sums_.assign(static_cast<std::size_t>(taps * forward_.filters), 0.0F);
  if (dx != nullptr) arrange_weight_for_input(weight);
  for (std::int64_t n = 0; n < samples; n += group) {
    forward_.samples = backward_.samples = std::min(group, samples - n);
    add_to_weight_sums(x + n * x_size, dy + n * dy_size);
    if (dx != nullptr) correlate_back(dy + n * dy_size, dx + n * x_size);
  }
  kernels_.transpose(sums_.data(), taps, forward_.filters, dweight);
}

void ConvBf16::add_to_weight_sums(const std::uint16_t* x, const std::uint16_t* dy) {
  pair_pixels(with_columns(x, forward_.samples * forward_.height, forward_.width - left_ - right_,
                           forward_.channels, left_, right_));
  pair_outputs(dy);
  kernels_.correlate_weights(forward_, x_pairs_.data(), dy_pairs_.data(), sums_.data());
}

void ConvBf16::correlate_back(const std::uint16_t* dy, std::uint16_t* dx) {
  const std::int64_t reach = backward_.kernel - 1;
  dy = with_columns(dy, backward_.samples * backward_.height, forward_.out_width,
                    backward_.channels, reach - left_, reach - right_);
  kernels_.correlate(backward_, dy, weights_.data(), nullptr, dx);
}

// Rows of `width` pixels with zeros left and right of each. x itself where there
// are none and the kernels read no value past its end.
const std::uint16_t* ConvBf16::with_columns(const std::uint16_t* x, std::int64_t rows,
                                            std::int64_t width, std::int64_t channels,
                                            std::int64_t left, std::int64_t right) {
  const bool reads_past_end = forward_.taps() % 2 != 0;
  if (left == 0 && right == 0 && !reads_past_end) return x;
  const std::int64_t inner = width * channels;
  widened_.resize(static_cast<std::size_t>(rows * (left + width + right) * channels + 1));
  std::uint16_t* to = widened_.data();
  for (std::int64_t row = 0; row < rows; ++row) {
    to = std::fill_n(to, left * channels, std::uint16_t{0});
    to = std::copy_n(x + row * inner, inner, to);
    to = std::fill_n(to, right * channels, std::uint16_t{0});
  }
  *to = 0;
  return widened_.data();
}

// [filters, kernel, kernel, channels] to [kernel, tap_pairs, filters, 2].
void ConvBf16::arrange_weight(const std::uint16_t* weight) {
  const Correlation& form = forward_;
  const std::int64_t taps = form.taps();
  const std::int64_t pairs = form.tap_pairs();
  weights_.assign(static_cast<std::size_t>(form.kernel * pairs * form.filters * 2), 0);
  if (taps % 2 == 0) {
    kernels_.transpose(weight, form.filters, form.kernel * pairs, weights_.data());
    return;
  }
  for (std::int64_t f = 0; f < form.filters; ++f) {
    for (std::int64_t u = 0; u < form.kernel; ++u) {
      for (std::int64_t t = 0; t < taps; ++t) {
        const std::int64_t pair = u * pairs + t / 2;
        weights_[(pair * form.filters + f) * 2 + t % 2] = weight[(f * form.kernel + u) * taps + t];
      }
    }
  }
}

// [filters, kernel, kernel, channels] to [kernel, kernel * filters / 2, channels, 2],
// turned by half a circle.
void ConvBf16::arrange_weight_for_input(const std::uint16_t* weight) {
  const std::int64_t kernel = forward_.kernel;
  const std::int64_t channels = forward_.channels;
  const std::int64_t filters = forward_.filters;
  weights_.resize(static_cast<std::size_t>(kernel * kernel * filters * channels));
  std::uint16_t* to = weights_.data();
  for (std::int64_t tap = kernel * kernel - 1; tap >= 0; --tap) {
    for (std::int64_t f = 0; f < filters; f += 2) {
      const std::uint16_t* from = weight + (f * kernel * kernel + tap) * channels;
      kernels_.interleave(from, from + kernel * kernel * channels, channels, to);
      to += 2 * channels;
    }
  }
}

// Each pixel of forward_.samples with its right neighbour.
void ConvBf16::pair_pixels(const std::uint16_t* x) {
  const std::int64_t row_size = forward_.width * forward_.channels;
  const std::int64_t rows = forward_.samples * forward_.height;
  x_pairs_.resize(static_cast<std::size_t>(rows * row_size * 2));
  for (std::int64_t row = 0; row < rows; ++row) {
    kernels_.pair_rows(x + row * row_size, forward_.width, forward_.channels, 1,
                       x_pairs_.data() + row * row_size * 2);
  }
}

// Neighbouring outputs of forward_.samples, two and two.
void ConvBf16::pair_outputs(const std::uint16_t* dy) {
  const std::int64_t row_size = forward_.out_width * forward_.filters;
  const std::int64_t pairs_size = forward_.pixel_pairs() * forward_.filters * 2;
  const std::int64_t rows = forward_.samples * forward_.out_height;
  dy_pairs_.resize(static_cast<std::size_t>(rows * pairs_size));
  for (std::int64_t row = 0; row < rows; ++row) {
    kernels_.pair_rows(dy + row * row_size, forward_.out_width, forward_.filters, 2,
                       dy_pairs_.data() + row * pairs_size);
  }
}

}  // namespace lockstep
