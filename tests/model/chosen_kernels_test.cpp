// Which kernels are chosen; those made of the instructions for bf16 against those that round by
// integers.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "model/kernel_samples.h"

namespace lockstep {
namespace {

using namespace samples;

TEST(Kernels, ChosenOnesAreOfTheBestInstructionSet) {
  const Kernels* best = &kernels_baseline;
  if (__builtin_cpu_supports("x86-64-v3")) best = &kernels_avx2;
  const char* most = std::getenv("LOCKSTEP_MAX_ISA");
  const std::string limit = most != nullptr ? most : "AMX";
  if (__builtin_cpu_supports("x86-64-v4") && limit != "AVX2") best = &kernels_avx512;
  EXPECT_EQ(kernels().fp32.moments, best->fp32.moments);
  if (__builtin_cpu_supports("avx512bf16") && (limit == "AVX512_BF16" || limit == "AMX")) {
    best = &kernels_with_bf16_instructions();
  }
  EXPECT_EQ(kernels().bf16.moments, best->bf16.moments);
}

std::vector<std::uint16_t> bits_of(const std::vector<Bf16>& values) {
  std::vector<std::uint16_t> bits(values.size());
  std::transform(values.begin(), values.end(), bits.begin(), [](Bf16 value) { return value.bits; });
  return bits;
}

// All that the kernels of a table make of the same values.
std::vector<std::vector<std::uint16_t>> results_of(const TypedKernels<Bf16>& kernel,
                                                   const NormForm& form) {
  const std::int64_t count = form.rows * form.channels;
  std::vector<Bf16> x = sample<Bf16>(count, 1);
  const std::vector<Bf16> other = sample<Bf16>(count, 2);
  x[static_cast<std::size_t>(count / 2)].bits = 0x7FC0;  // a NaN
  x[static_cast<std::size_t>(count / 3)].bits = 0x8000;  // less than nothing, but no less than 0
  const auto channels = static_cast<std::size_t>(form.channels);
  const std::vector<float> factor = sample<float>(form.channels, 3);
  const std::vector<float> offset = sample<float>(form.channels, 4);
  std::vector<std::vector<Bf16>> values(4, std::vector<Bf16>(x.size()));
  std::vector<std::vector<float>> sums(7, std::vector<float>(channels));
  kernel.moments(x.data(), form.rows, form.channels, form.relu_before, sums[0].data(),
                 sums[1].data());
  kernel.sum_rows(x.data(), form.rows, form.channels, sums[2].data());
  kernel.norm_forward(form, x.data(), factor.data(), offset.data(), values[0].data());
  kernel.norm_sums(form, x.data(), factor.data(), offset.data(), other.data(), sums[3].data(),
                   sums[4].data());
  kernel.norm_backward(form, x.data(), factor.data(), offset.data(), other.data(), factor.data(),
                       offset.data(), factor.data(), values[1].data());
  NormForm plain = form;
  plain.relu_before = false;
  plain.bits = nullptr;
  kernel.norm_add_forward(plain, x.data(), factor.data(), offset.data(), other.data(),
                          values[2].data());
  kernel.norm_add_sums(plain, x.data(), other.data(), other.data(), values[3].data(),
                       sums[5].data(), sums[6].data());
  std::vector<std::vector<std::uint16_t>> results;
  for (const auto& each : values) results.push_back(bits_of(each));
  for (const auto& each : sums) {
    results.emplace_back();
    for (const float sum : each) {
      const auto bits = std::bit_cast<std::uint32_t>(sum);
      results.back().push_back(static_cast<std::uint16_t>(bits));
      results.back().push_back(static_cast<std::uint16_t>(bits >> 16));
    }
  }
  return results;
}

TEST(Bf16Kernels, InstructionsForBf16GiveTheSameBits) {
  if (!__builtin_cpu_supports("avx512bf16")) GTEST_SKIP() << "no instructions for bf16";
  const auto bytes = sample_bytes(997 * 80);
  for (const std::int64_t channels : {16, 48, 64, 80}) {
    for (int choice = 0; choice < 8; ++choice) {
      SCOPED_TRACE(std::to_string(channels) + " choice " + std::to_string(choice));
      const NormForm form{.rows = 997,
                          .channels = channels,
                          .relu_before = (choice & 1) != 0,
                          .relu_after = (choice & 2) != 0,
                          .relu_limit = channels == 48 ? 0.3F : INFINITY,
                          .bits = (choice & 4) != 0 ? bytes.data() : nullptr,
                          .drop_below = 77,
                          .keep_scale = (choice & 4) != 0 ? 256.0F / 179 : 1.0F};
      EXPECT_EQ(results_of(kernels_with_bf16_instructions().bf16, form),
                results_of(kernels_avx512.bf16, form));
    }
  }
}

}  // namespace
}  // namespace lockstep
