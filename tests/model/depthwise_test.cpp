// Convolutions of each channel alone, by the kernels of every instruction set, against plain
// loops in double on the same values.

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

#include "model/kernel_samples.h"
#include "model/kernels.h"

namespace lockstep {

namespace {

using samples::random_values;
using samples::real;

// The form of the forward pass from dy that gives dx, for a stride of 1.
DepthwiseForm turned(const DepthwiseForm& form) {
  return {form.samples, form.out_height, form.out_width, form.channels, form.height, form.width, 1,
          2 - form.top, 2 - form.left};
}

template <typename T>
void expect_near(const std::vector<T>& seen, const std::vector<double>& expected) {
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const double tolerance = std::is_same_v<T, float> ? 1e-5 : std::abs(expected[i]) / 256 + 1e-5;
    ASSERT_NEAR(real(seen[i]), expected[i], tolerance) << "at " << i;
  }
}

template <typename T>
void expect_form(const TypedKernels<T>& kernels, const DepthwiseForm& form) {
  const std::int64_t outputs = form.samples * form.out_height * form.out_width * form.channels;
  const auto x = random_values<T>(form.samples * form.height * form.width * form.channels, 1);
  const auto dy = random_values<T>(outputs, 2);
  const auto weights = random_values<float>(9 * form.channels, 3);
  const auto bias = random_values<float>(form.channels, 4);
  const std::vector<T> zeros(
      static_cast<std::size_t>(std::max(form.width, form.out_width) * form.channels));
  std::vector<double> y_expected(dy.size()), dx_expected(x.size()), sums_expected(weights.size());
  for (std::int64_t o = 0; o < outputs; ++o) {
    const std::int64_t c = o % form.channels;
    const std::int64_t j = o / form.channels % form.out_width;
    const std::int64_t i = o / form.channels / form.out_width % form.out_height;
    const std::int64_t n = o / form.channels / form.out_width / form.out_height;
    y_expected[o] = bias[c];
    for (std::int64_t k = 0; k < 9; ++k) {
      const std::int64_t row = i * form.stride + k / 3 - form.top;
      const std::int64_t column = j * form.stride + k % 3 - form.left;
      if (row < 0 || row >= form.height || column < 0 || column >= form.width) continue;
      const std::int64_t in = ((n * form.height + row) * form.width + column) * form.channels + c;
      const double w = weights[k * form.channels + c];
      y_expected[o] += real(x[in]) * w;
      dx_expected[in] += real(dy[o]) * w;
      sums_expected[k * form.channels + c] += double{real(x[in])} * real(dy[o]);
    }
  }
  std::vector<T> y(dy.size()), dx(x.size());
  kernels.depthwise_forward(form, x.data(), weights.data(), bias.data(), zeros.data(), y.data());
  expect_near(y, y_expected);
  if (form.stride == 1) {
    std::vector<float> taps(weights.size());
    for (std::size_t i = 0; i < taps.size(); ++i) {
      const auto channels = static_cast<std::size_t>(form.channels);
      taps[i] = weights[(8 - i / channels) * channels + i % channels];
    }
    kernels.depthwise_forward(turned(form), dy.data(), taps.data(), nullptr, zeros.data(),
                              dx.data());
  } else {
    kernels.depthwise_backward_input(form, dy.data(), weights.data(), zeros.data(), dx.data());
  }
  expect_near(dx, dx_expected);
  std::vector<float> sums(weights.size(), 0.0F);
  kernels.depthwise_backward_weight(form, x.data(), dy.data(), zeros.data(), sums.data());
  for (std::size_t i = 0; i < sums.size(); ++i) ASSERT_NEAR(sums[i], sums_expected[i], 1e-4);
}

void expect_forms(const Kernels& kernels) {
  for (const DepthwiseForm& form :
       {DepthwiseForm{3, 7, 9, 32, 7, 9, 1, 1, 1}, DepthwiseForm{2, 5, 4, 16, 3, 2, 1, 0, 0},
        DepthwiseForm{2, 1, 2, 16, 1, 2, 1, 1, 1}, DepthwiseForm{3, 8, 9, 48, 4, 5, 2, 1, 1},
        DepthwiseForm{2, 8, 6, 16, 4, 3, 2, 0, 0}, DepthwiseForm{5, 1, 1, 16, 1, 1, 2, 1, 1},
        DepthwiseForm{1, 2, 3, 16, 4, 5, 1, 2, 2}, DepthwiseForm{2, 6, 7, 16, 2, 2, 2, 0, 0}}) {
    SCOPED_TRACE(std::to_string(form.height) + "x" + std::to_string(form.width) + " stride " +
                 std::to_string(form.stride));
    expect_form<float>(kernels.of<float>(), form);
    expect_form<Bf16>(kernels.of<Bf16>(), form);
  }
}

TEST(Depthwise, Baseline) { expect_forms(kernels_baseline); }

TEST(Depthwise, Avx2) {
  if (!__builtin_cpu_supports("x86-64-v3")) GTEST_SKIP() << "no AVX2 here";
  expect_forms(kernels_avx2);
}

TEST(Depthwise, Avx512) {
  if (!__builtin_cpu_supports("x86-64-v4")) GTEST_SKIP() << "no AVX-512 here";
  expect_forms(kernels_avx512);
}

}  // namespace

}  // namespace lockstep
