// Convolutions and dense layers by our own kernels, of every instruction set here, against
// plain loops in double on the same values.

#include "model/direct_conv.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "lockstep/model/lane_executor.h"
#include "model/conv_cases.h"
#include "model/kernels.h"
#include "model/turned_dense.h"

namespace lockstep {

extern const ConvKernels<float, float> conv_kernels_fp32_avx2;

namespace {

using conv_cases::Case;
using conv_cases::expect_near;
using conv_cases::Expected;
using conv_cases::form_of;
using conv_cases::real;
using conv_cases::run;
using conv_cases::Seen;
using conv_cases::Values;

template <typename In, typename Out>
void expect_case(const ConvKernels<In, Out>& kernels, const Case& c) {
  const ConvForm form = form_of(c);
  const Values<Out> v(c);
  constexpr Precision kPrecision = std::is_same_v<Out, float> ? Precision::kFp32 : Precision::kBf16;
  ASSERT_TRUE(suits_conv_kernels(form, kPrecision));
  const Expected<Out> expected(c, v);
  const Seen<Out> seen = run(DirectConv<In, Out>(kernels, form), c, v);
  expect_near(seen.y, expected.y);
  if (form.input_gradient) expect_near(seen.dx, expected.dx);
  for (std::size_t i = 0; i < seen.dweight.size(); ++i) {
    const double dw = expected.dweight[i];
    ASSERT_NEAR(seen.dweight[i], dw, std::abs(dw) * 1e-6 + 1e-4) << "at " << i;
  }
}

class DirectConvTest : public testing::TestWithParam<Case> {};

TEST_P(DirectConvTest, Fp32) {
  if (fp32_conv_kernels() == nullptr) GTEST_SKIP() << "no AVX2 here";
  expect_case(*fp32_conv_kernels(), GetParam());
}

TEST_P(DirectConvTest, Fp32WithAvx2) {
  if (!__builtin_cpu_supports("x86-64-v3")) GTEST_SKIP() << "no AVX2 here";
  expect_case(conv_kernels_fp32_avx2, GetParam());
}

TEST_P(DirectConvTest, Bf16InPairs) {
  if (!has_bf16_instructions()) GTEST_SKIP() << "no AVX-512 BF16 here";
  expect_case(paired_conv_kernels(), GetParam());
}

TEST_P(DirectConvTest, Bf16Widened) {
  if (!has_bf16_instructions()) GTEST_SKIP() << "no AVX-512 BF16 here";
  expect_case(widened_conv_kernels(), GetParam());
}

TEST_P(DirectConvTest, Bf16InTiles) {
  if (tiled_conv_kernels() == nullptr) GTEST_SKIP() << "no AMX here";
  expect_case(*tiled_conv_kernels(), GetParam());
}

TEST_P(DirectConvTest, Bf16InPairsAndWidenedHaveTheSameBits) {
  if (!has_bf16_instructions()) GTEST_SKIP() << "no AVX-512 BF16 here";
  const Case& c = GetParam();
  const Values<Bf16Bits> v(c);
  EXPECT_EQ(run(DirectConv<Bf16Bits, Bf16Bits>(paired_conv_kernels(), form_of(c)), c, v),
            run(DirectConv<float, Bf16Bits>(widened_conv_kernels(), form_of(c)), c, v));
}

void expect_one_result_in_any_batch(const Case& c) {
  conv_cases::expect_one_result_in_any_batch<float>(
      DirectConv<float, float>(*fp32_conv_kernels(), form_of(c)), c);
}

TEST_P(DirectConvTest, ForwardDoesNotDependOnTheBatch) {
  if (fp32_conv_kernels() == nullptr) GTEST_SKIP() << "no AVX2 here";
  expect_one_result_in_any_batch(GetParam());
}

TEST_P(DirectConvTest, ForwardInTilesDoesNotDependOnTheBatch) {
  if (tiled_conv_kernels() == nullptr) GTEST_SKIP() << "no AMX here";
  conv_cases::expect_one_result_in_any_batch<Bf16Bits>(
      DirectConv<Bf16Bits, Bf16Bits>(*tiled_conv_kernels(), form_of(GetParam())), GetParam());
}

// Channels and filters that are no multiples of anything.
class DirectConvOfAnyCountsTest : public testing::TestWithParam<Case> {};

TEST_P(DirectConvOfAnyCountsTest, Fp32) {
  if (fp32_conv_kernels() == nullptr) GTEST_SKIP() << "no AVX2 here";
  expect_case(*fp32_conv_kernels(), GetParam());
  expect_one_result_in_any_batch(GetParam());
}

TEST_P(DirectConvOfAnyCountsTest, Fp32WithAvx2) {
  if (!__builtin_cpu_supports("x86-64-v3")) GTEST_SKIP() << "no AVX2 here";
  expect_case(conv_kernels_fp32_avx2, GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, DirectConvOfAnyCountsTest,
    testing::Values(Case{3, 5, 7, 6, 10, 3, 1, 1, 1, 1, true}, Case{5, 1, 1, 256, 10, 1, 0, 0},
                    Case{7, 1, 1, 33, 5, 1, 0, 0, 1, 1, true}, Case{2, 6, 6, 16, 9, 3, 1, 1},
                    Case{2, 7, 6, 9, 16, 3, 0, 1, 1, 1, true}, Case{9, 1, 1, 13, 64, 1, 0, 0},
                    Case{2, 9, 9, 3, 7, 3, 1, 1, 2}, Case{3, 8, 8, 1, 5, 5, 2, 2},
                    Case{2, 8, 7, 10, 3, 3, 1, 1, 2, 1, true}, Case{1, 1, 1, 3, 1, 1, 0, 0},
                    Case{2, 9, 8, 5, 21, 2, 0, 1, 1, 3, true}));

INSTANTIATE_TEST_SUITE_P(
    Shapes, DirectConvTest,
    testing::Values(Case{3, 5, 7, 1, 16, 3, 0, 0}, Case{2, 6, 6, 3, 32, 3, 1, 1},
                    Case{1, 28, 28, 1, 32, 5, 0, 0}, Case{2, 26, 26, 32, 32, 3, 0, 0},
                    Case{3, 10, 10, 64, 64, 3, 0, 0}, Case{33, 4, 4, 64, 128, 3, 0, 0},
                    Case{2, 9, 13, 48, 80, 3, 1, 1}, Case{3, 3, 3, 16, 16, 3, 0, 0},
                    Case{2, 7, 5, 16, 48, 2, 0, 1}, Case{2, 5, 37, 16, 16, 4, 1, 2},
                    Case{5, 1, 1, 32, 16, 1, 0, 0}, Case{2, 2, 3, 16, 32, 3, 1, 1},
                    Case{1, 3, 2, 16, 16, 5, 2, 2}, Case{31, 2, 2, 96, 144, 3, 1, 1},
                    Case{3, 7, 9, 24, 48, 1, 0, 0}, Case{3, 7, 9, 96, 24, 1, 0, 0},
                    Case{2, 6, 9, 40, 32, 3, 1, 1}, Case{2, 9, 5, 32, 8, 3, 1, 1},
                    Case{7, 1, 1, 48, 80, 1, 0, 0}, Case{13, 1, 1, 512, 256, 1, 0, 0},
                    Case{3, 7, 7, 32, 48, 3, 1, 1}));

INSTANTIATE_TEST_SUITE_P(
    Strides, DirectConvTest,
    testing::Values(Case{3, 9, 9, 16, 32, 3, 1, 1, 2}, Case{2, 8, 8, 32, 16, 3, 0, 1, 2},
                    Case{3, 21, 19, 3, 16, 7, 3, 3, 2}, Case{5, 7, 6, 16, 16, 1, 0, 0, 2},
                    Case{2, 11, 10, 16, 48, 5, 2, 2, 3}, Case{9, 4, 4, 32, 32, 2, 0, 0, 3},
                    Case{17, 4, 4, 16, 16, 3, 1, 1, 2}, Case{3, 8, 9, 2, 16, 4, 1, 2, 3},
                    Case{2, 1, 1, 16, 16, 3, 1, 1, 2}, Case{3, 6, 6, 16, 16, 1, 0, 0, 1},
                    Case{3, 9, 8, 16, 32, 3, 2, 2, 1, 2}, Case{2, 11, 12, 24, 16, 3, 1, 4, 1, 3},
                    Case{2, 9, 8, 16, 24, 3, 1, 1, 2}, Case{2, 17, 15, 16, 32, 3, 1, 1, 2}));

template <typename In, typename Out>
void expect_turned_dense(const ConvKernels<In, Out>& kernels) {
  for (const Case& c : {Case{32, 1, 1, 512, 256, 1, 0, 0}, Case{7, 1, 1, 48, 24, 1, 0, 0},
                        Case{1, 1, 1, 16, 16, 1, 0, 0}, Case{33, 1, 1, 32, 8, 1, 0, 0}}) {
    const Values<Out> v(c);
    std::vector<Out> y(v.dy.size());
    std::vector<Out> turned(v.dy.size());
    DirectConv<In, Out>(kernels, form_of(c))
        .forward(c.samples, v.x.data(), v.weight.data(), v.bias.data(), y.data());
    TurnedDense<In, Out>(kernels, c.channels, c.filters)
        .forward(c.samples, v.x.data(), v.weight.data(), v.bias.data(), turned.data());
    EXPECT_EQ(turned, y) << testing::PrintToString(c);
  }
}

TEST(DirectConv, TurnedDenseLayersHaveTheSameBits) {
  if (fp32_conv_kernels() == nullptr) GTEST_SKIP() << "no AVX2 here";
  expect_turned_dense(*fp32_conv_kernels());
  if (!has_bf16_instructions()) GTEST_SKIP() << "no AVX-512 BF16 here";
  expect_turned_dense(paired_conv_kernels());
  expect_turned_dense(widened_conv_kernels());
  if (tiled_conv_kernels() == nullptr) GTEST_SKIP() << "no AMX here";
  expect_turned_dense(*tiled_conv_kernels());
}

// What lies past the images must not come in where a row of taps is odd.
void expect_nothing_past_the_input(const ConvKernels<Bf16Bits, Bf16Bits>& kernels) {
  std::vector<Bf16Bits> x(9 + 8, 0x3F80);  // ones, then NaNs
  std::fill(x.begin() + 9, x.end(), Bf16Bits{0x7FC0});
  const std::vector<Bf16Bits> weight(9 * 16, 0x3F80);
  std::vector<Bf16Bits> y(16);
  DirectConv<Bf16Bits, Bf16Bits>(
      kernels, {.in = {3, 3, 1}, .out = {1, 1, 16}, .kernel = 3, .input_gradient = false})
      .forward(1, x.data(), weight.data(), nullptr, y.data());
  for (const Bf16Bits bits : y) EXPECT_EQ(real(bits), 9.0);
}

TEST(DirectConv, WhatLiesPastTheInputDoesNotMatter) {
  if (!has_bf16_instructions()) GTEST_SKIP() << "no AVX-512 BF16 here";
  expect_nothing_past_the_input(paired_conv_kernels());
  if (tiled_conv_kernels() == nullptr) GTEST_SKIP() << "no AMX here";
  expect_nothing_past_the_input(*tiled_conv_kernels());
}

// The weights' gradient of a dense layer: of each 13 pairs of samples the first ones, then the
// second ones, then the sum of both to what is there.
TEST(DirectConv, TilesAddInTheOrderThatIsWritten) {
  if (tiled_conv_kernels() == nullptr) GTEST_SKIP() << "no AMX here";
  const Case c{26, 1, 1, 32, 16, 1, 0, 0};
  const Values<Bf16Bits> v(c);
  const Seen<Bf16Bits> seen =
      run(DirectConv<Bf16Bits, Bf16Bits>(*tiled_conv_kernels(), form_of(c)), c, v);
  for (int filter = 0; filter < c.filters; ++filter) {
    for (int channel = 0; channel < c.channels; ++channel) {
      const auto sum_of_every_second = [&](int first) {
        float sum = 0;
        for (int sample = first; sample < c.samples; sample += 2) {
          const auto x = v.x[static_cast<std::size_t>(sample * c.channels + channel)];
          const auto dy = v.dy[static_cast<std::size_t>(sample * c.filters + filter)];
          sum = std::fma(static_cast<float>(real(x)), static_cast<float>(real(dy)), sum);
        }
        return sum;
      };
      EXPECT_EQ(seen.dweight[static_cast<std::size_t>(filter * c.channels + channel)],
                sum_of_every_second(0) + sum_of_every_second(1));
    }
  }
}

struct alignas(64) TileShapes {
  std::array<std::uint8_t, 64> bytes{};
};

// LibTorch's libraries set up the processor's tiles for themselves.
TEST(DirectConv, TilesOfOthersAreAsBefore) {
  if (tiled_conv_kernels() == nullptr) GTEST_SKIP() << "no AMX here";
  TileShapes before;
  before.bytes[0] = 1;    // palette
  before.bytes[16] = 32;  // bytes of a row of the first tile
  before.bytes[48] = 7;   // its rows
  asm volatile("ldtilecfg %0" : : "m"(before));
  expect_nothing_past_the_input(*tiled_conv_kernels());
  TileShapes after;
  asm volatile("sttilecfg %0" : "=m"(after));
  asm volatile("tilerelease");
  EXPECT_EQ(after.bytes, before.bytes);
  expect_nothing_past_the_input(*tiled_conv_kernels());
  asm volatile("sttilecfg %0" : "=m"(after));
  EXPECT_EQ(after.bytes, TileShapes{}.bytes);
}

}  // namespace

}  // namespace lockstep
