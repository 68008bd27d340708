// Convolutions by Winograd's algorithm, of every instruction set here, against plain loops in
// double on the same values.

#include "model/winograd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "lockstep/model/lane_executor.h"
#include "model/conv_cases.h"

namespace lockstep {

extern const WinogradKernels<float, float> winograd_kernels_fp32_avx2;

namespace {

using conv_cases::Case;
using conv_cases::Expected;
using conv_cases::form_of;
using conv_cases::real;
using conv_cases::run;
using conv_cases::Seen;
using conv_cases::Values;

// Of all values together, and of each: a result in bf16 is a sum over tiles, in which products of
// factors rounded to 8 bits cancel one another.
struct Tolerance {
  double mean;   // root of the mean of squares, as a part of that of what is expected
  double worst;  // as a part of the same
};

template <typename T>
void expect_close(const std::vector<T>& seen, const std::vector<double>& expected,
                  Tolerance tolerance) {
  ASSERT_EQ(seen.size(), expected.size());
  double squares = 0, off = 0, worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::abs(real(seen[i]) - expected[i]);
    ASSERT_TRUE(std::isfinite(difference)) << "at " << i;
    squares += expected[i] * expected[i];
    off += difference * difference;
    worst = std::max(worst, difference);
  }
  EXPECT_LT(std::sqrt(off / squares), tolerance.mean);
  EXPECT_LT(worst, tolerance.worst * std::sqrt(squares / static_cast<double>(expected.size())));
}

template <typename In, typename Out>
void expect_case(const WinogradKernels<In, Out>& kernels, const Case& c, Tolerance tolerance) {
  const Values<Out> v(c);
  const Expected<Out> expected(c, v);
  const Seen<Out> seen = run(WinogradConv<In, Out>(kernels, form_of(c)), c, v);
  expect_close(seen.y, expected.y, tolerance);
  expect_close(seen.dx, expected.dx, tolerance);
  expect_close(seen.dweight, expected.dweight, tolerance);
}

constexpr Tolerance kFp32 = {.mean = 2e-6, .worst = 2e-5};
constexpr Tolerance kBf16 = {.mean = 6e-3, .worst = 4e-2};

class WinogradTest : public testing::TestWithParam<Case> {};

TEST_P(WinogradTest, Fp32) {
  if (fp32_winograd_kernels() == nullptr) GTEST_SKIP() << "no AVX2 here";
  expect_case(*fp32_winograd_kernels(), GetParam(), kFp32);
}

TEST_P(WinogradTest, Fp32HasTheSameBitsWithAvx2) {
  if (fp32_winograd_kernels() == nullptr) GTEST_SKIP() << "no AVX2 here";
  const Case& c = GetParam();
  const Values<float> v(c);
  const auto with = [&](const WinogradKernels<float, float>& kernels) {
    return run(WinogradConv<float, float>(kernels, form_of(c)), c, v);
  };
  EXPECT_EQ(with(winograd_kernels_fp32_avx2), with(*fp32_winograd_kernels()));
}

TEST_P(WinogradTest, Bf16InPairs) {
  if (!has_bf16_instructions()) GTEST_SKIP() << "no AVX-512 BF16 here";
  expect_case(paired_winograd_kernels(), GetParam(), kBf16);
}

TEST_P(WinogradTest, Bf16InPairsAndWidenedHaveTheSameBits) {
  if (!has_bf16_instructions()) GTEST_SKIP() << "no AVX-512 BF16 here";
  const Case& c = GetParam();
  const Values<Bf16Bits> v(c);
  EXPECT_EQ(run(WinogradConv<Bf16Bits, Bf16Bits>(paired_winograd_kernels(), form_of(c)), c, v),
            run(WinogradConv<float, Bf16Bits>(widened_winograd_kernels(), form_of(c)), c, v));
}

TEST_P(WinogradTest, ForwardDoesNotDependOnTheBatch) {
  if (fp32_winograd_kernels() == nullptr) GTEST_SKIP() << "no AVX2 here";
  const Case& c = GetParam();
  conv_cases::expect_one_result_in_any_batch<float>(
      WinogradConv<float, float>(*fp32_winograd_kernels(), form_of(c)), c);
  if (!has_bf16_instructions()) GTEST_SKIP() << "no AVX-512 BF16 here";
  conv_cases::expect_one_result_in_any_batch<Bf16Bits>(
      WinogradConv<Bf16Bits, Bf16Bits>(paired_winograd_kernels(), form_of(c)), c);
}

// Of each: samples, height, width, channels, filters, kernel, zeros before and after.
INSTANTIATE_TEST_SUITE_P(
    Shapes, WinogradTest,
    testing::Values(Case{2, 8, 8, 16, 16, 3, 1, 1}, Case{3, 26, 26, 32, 32, 3, 0, 0},
                    Case{5, 7, 9, 48, 80, 3, 1, 1}, Case{1, 1, 1, 16, 16, 3, 1, 1},
                    Case{4, 5, 4, 32, 16, 3, 2, 2}, Case{3, 6, 11, 96, 48, 3, 0, 1},
                    Case{2, 11, 3, 16, 96, 3, 1, 0}, Case{33, 4, 4, 64, 128, 3, 1, 1},
                    Case{1, 41, 29, 32, 64, 3, 2, 1}, Case{3, 8, 8, 192, 240, 3, 1, 1},
                    Case{1, 3, 70, 16, 48, 3, 1, 1}));

TEST(Winograd, SuitsByTheForm) {
  const Case c{2, 28, 28, 64, 64, 3, 1, 1};
  EXPECT_TRUE(suits_winograd(form_of(c)));
  const auto changed = [&](auto change) {
    Case other = c;
    change(other);
    return suits_winograd(form_of(other));
  };
  EXPECT_FALSE(changed([](Case& o) { o.stride = 2; }));
  EXPECT_FALSE(changed([](Case& o) { o.dilation = 2; }));
  EXPECT_FALSE(changed([](Case& o) { o.kernel = 5; }));
  EXPECT_FALSE(changed([](Case& o) { o.channels = 40; }));
  EXPECT_FALSE(changed([](Case& o) { o.filters = 10; }));
  EXPECT_FALSE(changed([](Case& o) { o.before = o.after = 3; }));
  EXPECT_FALSE(changed([](Case& o) { o.height = 3; }));
}

}  // namespace

}  // namespace lockstep
