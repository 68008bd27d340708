// Convolutions and dense layers by the bf16 kernels, against plain loops in double
// on the same rounded values.

#include "model/conv_bf16.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "lockstep/model/lane_executor.h"
#include "model/dense_bf16.h"
#include "model/kernels.h"

namespace lockstep {

namespace {

std::vector<std::uint16_t> rounded(const std::vector<float>& values) {
  std::vector<std::uint16_t> bits(values.size());
  kernels().round_to_bf16(values.data(), bits.data(), static_cast<std::int64_t>(bits.size()));
  return bits;
}

double value(std::uint16_t bits) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
}

std::vector<std::uint16_t> random_values(std::int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& v : values) v = uniform(generator);
  return rounded(values);
}

struct Case {
  int samples, height, width, channels, filters, kernel, before, after;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.samples << "x" << c.height << "x" << c.width << "x" << c.channels << ", " << c.filters
       << " filters " << c.kernel << ", padding " << c.before << " " << c.after;
}

class ConvBf16Test : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!has_bf16_instructions()) GTEST_SKIP() << "no AVX-512 BF16 here";
    const Case& c = GetParam();
    in_ = {c.height, c.width, c.channels};
    out_ = {c.height + c.before + c.after - c.kernel + 1,
            c.width + c.before + c.after - c.kernel + 1, c.filters};
    const Margin margin{c.before, c.after};
    conv_ = ConvOp{.kernel = c.kernel, .rows = margin, .columns = margin};
    x_ = random_values(std::int64_t{c.samples} * in_.pixels(), 1);
    dy_ = random_values(std::int64_t{c.samples} * out_.pixels(), 2);
    weight_ = random_values(std::int64_t{c.filters} * c.kernel * c.kernel * c.channels, 3);
    bias_ = random_values(c.filters, 4);
  }

  // body(x index, weight index, y index) for every product of the convolution.
  template <typename Body>
  void for_products(Body body) const {
    const Case& c = GetParam();
    for (int n = 0; n < c.samples; ++n) {
      for (int i = 0; i < out_.height; ++i) {
        for (int j = 0; j < out_.width; ++j) {
          for (int u = 0; u < c.kernel; ++u) {
            for (int v = 0; v < c.kernel; ++v) {
              const int row = i + u - c.before;
              const int column = j + v - c.before;
              if (row < 0 || row >= c.height || column < 0 || column >= c.width) continue;
              for (int f = 0; f < c.filters; ++f) {
                for (int k = 0; k < c.channels; ++k) {
                  body(((n * c.height + row) * c.width + column) * c.channels + k,
                       ((f * c.kernel + u) * c.kernel + v) * c.channels + k,
                       ((n * out_.height + i) * out_.width + j) * c.filters + f);
                }
              }
            }
          }
        }
      }
    }
  }

  ConvOp conv_;
  ImageShape in_;
  ImageShape out_;
  std::vector<std::uint16_t> x_, dy_, weight_, bias_;
};

// bf16 results: off by half a unit in the 8th bit; fp32 sums before it by less.
void expect_near(const std::vector<std::uint16_t>& seen, const std::vector<double>& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(value(seen[i]), expected[i], std::abs(expected[i]) / 256 + 1e-4) << "at " << i;
  }
}

TEST_P(ConvBf16Test, ForwardIsTheSumOfProducts) {
  ASSERT_TRUE(ConvBf16::can_train(conv_, in_, out_, false));
  std::vector<double> expected(dy_.size());
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = value(bias_[i % bias_.size()]);
  for_products([&](int x, int w, int y) { expected[y] += value(x_[x]) * value(weight_[w]); });
  std::vector<std::uint16_t> y(dy_.size(), 0x7FC0);
  ConvBf16 conv(conv_, in_, out_);
  conv.forward(GetParam().samples, x_.data(), weight_.data(), bias_.data(), y.data());
  expect_near(y, expected);
}

TEST_P(ConvBf16Test, BackwardToTheInput) {
  if (!ConvBf16::can_train(conv_, in_, out_, true)) {
    EXPECT_NE(GetParam().channels % 16, 0);
    return;
  }
  std::vector<double> expected(x_.size());
  for_products([&](int x, int w, int y) { expected[x] += value(dy_[y]) * value(weight_[w]); });
  std::vector<std::uint16_t> dx(x_.size(), 0x7FC0);
  std::vector<float> dweight(weight_.size());
  ConvBf16 conv(conv_, in_, out_);
  conv.backward(GetParam().samples, x_.data(), dy_.data(), weight_.data(), dweight.data(),
                dx.data());
  expect_near(dx, expected);
}

TEST_P(ConvBf16Test, BackwardToTheWeight) {
  std::vector<double> expected(weight_.size());
  for_products([&](int x, int w, int y) { expected[w] += value(dy_[y]) * value(x_[x]); });
  std::vector<float> dweight(weight_.size(), NAN);
  ConvBf16 conv(conv_, in_, out_);
  conv.backward(GetParam().samples, x_.data(), dy_.data(), weight_.data(), dweight.data(), nullptr);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(dweight[i], expected[i], 1e-3) << "at " << i;
  }
}

// A sample gives the same bits alone and among others.
TEST_P(ConvBf16Test, ForwardDoesNotDependOnTheBatch) {
  ConvBf16 conv(conv_, in_, out_);
  std::vector<std::uint16_t> together(dy_.size());
  conv.forward(GetParam().samples, x_.data(), weight_.data(), bias_.data(), together.data());
  std::vector<std::uint16_t> alone(dy_.size());
  const std::size_t x_size = x_.size() / static_cast<std::size_t>(GetParam().samples);
  const std::size_t y_size = alone.size() / static_cast<std::size_t>(GetParam().samples);
  for (int n = 0; n < GetParam().samples; ++n) {
    conv.forward(1, x_.data() + n * x_size, weight_.data(), bias_.data(),
                 alone.data() + n * y_size);
  }
  EXPECT_EQ(alone, together);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, ConvBf16Test,
    testing::Values(Case{3, 5, 7, 1, 16, 3, 0, 0}, Case{2, 6, 6, 3, 32, 3, 1, 1},
                    Case{1, 28, 28, 1, 32, 5, 0, 0}, Case{2, 26, 26, 32, 32, 3, 0, 0},
                    Case{3, 10, 10, 64, 64, 3, 0, 0}, Case{33, 4, 4, 64, 128, 3, 0, 0},
                    Case{2, 9, 13, 48, 80, 3, 1, 1}, Case{3, 3, 3, 16, 16, 3, 0, 0},
                    Case{2, 7, 5, 16, 48, 2, 0, 1}, Case{2, 5, 37, 16, 16, 4, 1, 2},
                    Case{5, 1, 1, 32, 16, 1, 0, 0}, Case{2, 2, 3, 16, 32, 3, 1, 1},
                    Case{1, 3, 2, 16, 16, 5, 2, 2}));

TEST(DenseBf16, IsAMatrixProduct) {
  if (!has_bf16_instructions()) GTEST_SKIP() << "no AVX-512 BF16 here";
  struct Size {
    int samples, inputs, units;
  };
  for (const auto& [samples, inputs, units] :
       {Size{1, 16, 16}, Size{7, 48, 80}, Size{32, 512, 256}, Size{13, 32, 16}}) {
    const auto x = random_values(std::int64_t{samples} * inputs, 1);
    const auto dy = random_values(std::int64_t{samples} * units, 2);
    const auto weight = random_values(std::int64_t{units} * inputs, 3);
    const auto bias = random_values(units, 4);
    std::vector<double> y_expected(dy.size()), dx_expected(x.size()),
        dweight_expected(weight.size());
    for (int n = 0; n < samples; ++n) {
      for (int u = 0; u < units; ++u) {
        y_expected[n * units + u] += value(bias[u]);
        for (int i = 0; i < inputs; ++i) {
          y_expected[n * units + u] += value(x[n * inputs + i]) * value(weight[u * inputs + i]);
          dx_expected[n * inputs + i] += value(dy[n * units + u]) * value(weight[u * inputs + i]);
          dweight_expected[u * inputs + i] += value(dy[n * units + u]) * value(x[n * inputs + i]);
        }
      }
    }
    SCOPED_TRACE(std::to_string(samples) + " samples");
    DenseBf16 dense(inputs, units);
    std::vector<std::uint16_t> y(dy.size()), dx(x.size());
    std::vector<float> dweight(weight.size(), NAN);
    dense.forward(samples, x.data(), weight.data(), bias.data(), y.data());
    expect_near(y, y_expected);
    dense.backward_input(samples, dy.data(), weight.data(), dx.data());
    expect_near(dx, dx_expected);
    dense.backward_weight(samples, x.data(), dy.data(), dweight.data());
    for (std::size_t i = 0; i < weight.size(); ++i) {
      ASSERT_NEAR(dweight[i], dweight_expected[i], 1e-4) << "at " << i;
    }
  }
}

// The last pair of odd taps reads one value past the image; a kernel without other
// layers' padding must not let it in.
TEST(ConvBf16, WhatLiesPastTheInputDoesNotMatter) {
  if (!has_bf16_instructions()) GTEST_SKIP() << "no AVX-512 BF16 here";
  std::vector<std::uint16_t> x(9 + 1, 0x3F80);  // ones, then a NaN
  x.back() = 0x7FC0;
  const std::vector<std::uint16_t> weight(9 * 16, 0x3F80);
  std::vector<std::uint16_t> y(16);
  ConvBf16(ConvOp{.kernel = 3}, {3, 3, 1}, {1, 1, 16})
      .forward(1, x.data(), weight.data(), nullptr, y.data());
  for (const std::uint16_t bits : y) EXPECT_EQ(value(bits), 9.0);
}

}  // namespace

}  // namespace lockstep
