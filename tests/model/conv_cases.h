// Convolutions for tests of our own kernels, and what they give by plain loops in double.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <ostream>
#include <tuple>
#include <type_traits>
#include <vector>

#include "model/conv_form.h"
#include "model/conv_kernels.h"
#include "model/kernel_samples.h"

namespace lockstep::conv_cases {

using samples::random_values;
using samples::real;

struct Case {
  int samples, height, width, channels, filters, kernel, before, after, stride = 1, dilation = 1;
  bool input_gradient = channels % 8 == 0;
};

inline void PrintTo(const Case& c, std::ostream* out) {
  *out << c.samples << "x" << c.height << "x" << c.width << "x" << c.channels << ", " << c.filters
       << " filters " << c.kernel << ", padding " << c.before << " " << c.after << ", stride "
       << c.stride << ", dilation " << c.dilation;
}

inline ConvForm form_of(const Case& c) {
  const auto outputs = [&](int inputs) {
    return (inputs + c.before + c.after - (c.kernel - 1) * c.dilation - 1) / c.stride + 1;
  };
  return {.in = {c.height, c.width, c.channels},
          .out = {outputs(c.height), outputs(c.width), c.filters},
          .kernel = c.kernel,
          .stride = c.stride,
          .dilation = c.dilation,
          .rows_before = c.before,
          .columns_before = c.before,
          .input_gradient = c.input_gradient};
}

// What a convolution is given, and what it gives.
template <typename T>
struct Values {
  std::vector<T> x, dy, weight, bias;

  explicit Values(const Case& c)
      : x(random_values<T>(std::int64_t{c.samples} * form_of(c).in.pixels(), 1)),
        dy(random_values<T>(std::int64_t{c.samples} * form_of(c).out.pixels(), 2)),
        weight(random_values<T>(std::int64_t{c.filters} * c.kernel * c.kernel * c.channels, 3)),
        bias(random_values<T>(c.filters, 4)) {}
};

// body(x index, weight index, y index) for every product of the convolution.
template <typename Body>
void for_products(const Case& c, Body body) {
  const ImageShape out = form_of(c).out;
  for (int n = 0; n < c.samples; ++n) {
    for (int i = 0; i < out.height; ++i) {
      for (int j = 0; j < out.width; ++j) {
        for (int tap = 0; tap < c.kernel * c.kernel; ++tap) {
          const int row = i * c.stride + tap / c.kernel * c.dilation - c.before;
          const int column = j * c.stride + tap % c.kernel * c.dilation - c.before;
          if (row < 0 || row >= c.height || column < 0 || column >= c.width) continue;
          for (int f = 0; f < c.filters; ++f) {
            for (int k = 0; k < c.channels; ++k) {
              body(((n * c.height + row) * c.width + column) * c.channels + k,
                   (f * c.kernel * c.kernel + tap) * c.channels + k,
                   ((n * out.height + i) * out.width + j) * c.filters + f);
            }
          }
        }
      }
    }
  }
}

template <typename Out>
void expect_near(const std::vector<Out>& seen, const std::vector<double>& expected) {
  // bf16 is off by half a unit in the 8th bit; fp32 sums before it by less.
  const double tolerance = std::is_same_v<Out, float> ? 1e-6 : 1.0 / 256;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(real(seen[i]), expected[i], std::abs(expected[i]) * tolerance + 5e-5) << "at " << i;
  }
}

// The bias, and what is summed.
template <typename Out>
struct Expected {
  std::vector<double> y, dx, dweight;

  Expected(const Case& c, const Values<Out>& v)
      : y(v.dy.size()), dx(v.x.size()), dweight(v.weight.size()) {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = real(v.bias[i % v.bias.size()]);
    for_products(c, [&](int x_at, int w_at, int y_at) {
      y[y_at] += real(v.x[x_at]) * real(v.weight[w_at]);
      dx[x_at] += real(v.dy[y_at]) * real(v.weight[w_at]);
      dweight[w_at] += real(v.dy[y_at]) * real(v.x[x_at]);
    });
  }
};

// What a convolution gives.
template <typename Out>
struct Seen {
  std::vector<Out> y, dx;
  std::vector<float> dweight;

  bool operator==(const Seen&) const = default;
};

template <typename Conv, typename Out>
Seen<Out> run(Conv conv, const Case& c, const Values<Out>& v) {
  Seen<Out> seen{std::vector<Out>(v.dy.size(), static_cast<Out>(0x7FC0)),
                 std::vector<Out>(v.x.size(), static_cast<Out>(0x7FC0)),
                 std::vector<float>(v.weight.size(), NAN)};
  conv.forward(c.samples, v.x.data(), v.weight.data(), v.bias.data(), seen.y.data());
  const bool wants_dx = form_of(c).input_gradient;
  conv.backward(c.samples, v.x.data(), v.dy.data(), v.weight.data(), seen.dweight.data(),
                wants_dx ? seen.dx.data() : nullptr);
  if (!wants_dx) seen.dx.clear();
  return seen;
}

// A sample gives the same bits alone and among others.
template <typename Out, typename Conv>
void expect_one_result_in_any_batch(Conv conv, const Case& c) {
  const Values<Out> v(c);
  std::vector<Out> together(v.dy.size());
  conv.forward(c.samples, v.x.data(), v.weight.data(), v.bias.data(), together.data());
  std::vector<Out> alone(v.dy.size());
  for (int n = 0; n < c.samples; ++n) {
    conv.forward(1, v.x.data() + n * form_of(c).in.pixels(), v.weight.data(), v.bias.data(),
                 alone.data() + n * form_of(c).out.pixels());
  }
  EXPECT_EQ(alone, together);
}

}  // namespace lockstep::conv_cases
