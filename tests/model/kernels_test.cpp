// The kernels of every instruction set against loops in double.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "lockstep/core/philox.h"
#include "model/kernel_samples.h"

namespace lockstep {
namespace {

using namespace samples;

using Types = testing::Types<float, Bf16>;
TYPED_TEST_SUITE(EachKernel, Types);

struct Extent {
  std::int64_t rows, channels;
};
// Around blocks of 64 rows and 512 channels, and the widths of vectors.
const std::vector<Extent> kExtents = {{1, 1},   {65, 3},  {997, 17},   {64, 32},
                                      {97, 48}, {7, 513}, {130, 1030}, {130, 1040}};

TYPED_TEST(EachKernel, MomentsAndSumsOfRows) {
  for (const auto& [name, table] : this->tables()) {
    for (const auto& [rows, channels] : kExtents) {
      const auto x = sample<TypeParam>(rows * channels, 1);
      for (const bool relu : {false, true}) {
        SCOPED_TRACE(name + " " + std::to_string(rows) + "x" + std::to_string(channels));
        std::vector<float> mean(static_cast<std::size_t>(channels));
        std::vector<float> variance(mean.size());
        std::vector<float> sums(mean.size());
        table.moments(x.data(), rows, channels, relu, mean.data(), variance.data());
        table.sum_rows(x.data(), rows, channels, sums.data());
        for (std::int64_t c = 0; c < channels; ++c) {
          const auto at = static_cast<std::size_t>(c);
          double sum = 0;
          double plain_sum = 0;
          const auto value = [&](std::int64_t r) {
            const double each = real(x[static_cast<std::size_t>(r * channels + c)]);
            return relu ? std::max(each, 0.0) : each;
          };
          for (std::int64_t r = 0; r < rows; ++r) {
            sum += value(r);
            plain_sum += real(x[static_cast<std::size_t>(r * channels + c)]);
          }
          const double m = sum / static_cast<double>(rows);
          double v = 0;
          for (std::int64_t r = 0; r < rows; ++r) v += (value(r) - m) * (value(r) - m);
          v /= static_cast<double>(rows);
          ASSERT_NEAR(mean[at], m, 1e-6);
          ASSERT_NEAR(variance[at], v, 2e-6);
          ASSERT_NEAR(sums[at], plain_sum, 1e-6 * static_cast<double>(rows));
        }
      }
    }
  }
}

// One element of a norm op and its gradient, in double.
struct NormElement {
  double input, value, d;  // relu_before(x), the output, the gradient at the norm's output
};

template <typename T>
NormElement norm_element(const NormForm& form, const std::vector<T>& x, const std::vector<T>& dy,
                         const std::vector<float>& factor, const std::vector<float>& offset,
                         std::size_t i) {
  const std::size_t c = i % static_cast<std::size_t>(form.channels);
  const double raw = real(x[i]);
  NormElement element;
  element.input = form.relu_before ? std::max(raw, 0.0) : raw;
  const double normal = static_cast<double>(factor[c]) * element.input + offset[c];
  const double limit = form.relu_limit;
  const double passed = form.relu_after ? std::clamp(normal, 0.0, limit) : normal;
  const bool dropped = form.bits != nullptr && form.bits[i] < form.drop_below;
  const double scale = form.bits == nullptr ? 1.0 : form.keep_scale;
  element.value = dropped ? 0 : passed * scale;
  element.d =
      dropped || (form.relu_after && (normal <= 0 || normal >= limit)) ? 0 : real(dy[i]) * scale;
  return element;
}

void expect_sums(const NormForm& form, const std::vector<float>& sums,
                 const std::vector<double>& expected) {
  for (std::size_t c = 0; c < sums.size(); ++c) {
    ASSERT_NEAR(sums[c], expected[c], 1e-6 * static_cast<double>(form.rows));
  }
}

template <typename T>
void expect_norm(const TypedKernels<T>& kernel, NormForm form) {
  const std::int64_t count = form.rows * form.channels;
  const auto x = sample<T>(count, 2);
  const auto dy = sample<T>(count, 3);
  const auto factor = sample<float>(form.channels, 4);
  const auto offset = sample<float>(form.channels, 5);
  const auto kd = sample<float>(form.channels, 6);
  const auto kx = sample<float>(form.channels, 7);
  const auto k1 = sample<float>(form.channels, 8);
  std::vector<T> y(x.size());
  std::vector<T> dx(x.size());
  std::vector<float> sum_d(factor.size());
  std::vector<float> sum_dx(factor.size());
  kernel.norm_forward(form, x.data(), factor.data(), offset.data(), y.data());
  kernel.norm_sums(form, x.data(), factor.data(), offset.data(), dy.data(), sum_d.data(),
                   sum_dx.data());
  kernel.norm_backward(form, x.data(), factor.data(), offset.data(), dy.data(), kd.data(),
                       kx.data(), k1.data(), dx.data());
  std::vector<double> expected_d(factor.size(), 0.0);
  std::vector<double> expected_dx(factor.size(), 0.0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = i % factor.size();
    const NormElement element = norm_element(form, x, dy, factor, offset, i);
    ASSERT_NEAR(real(y[i]), element.value, store_error(T{}) * 4) << i;
    expected_d[c] += element.d;
    expected_dx[c] += element.d * element.input;
    const bool passes = !form.relu_before || real(x[i]) > 0;
    const double gradient = passes ? kd[c] * element.d + kx[c] * element.input + k1[c] : 0;
    ASSERT_NEAR(real(dx[i]), gradient, store_error(T{}) * 5) << i;
  }
  expect_sums(form, sum_d, expected_d);
  expect_sums(form, sum_dx, expected_dx);
}

TYPED_TEST(EachKernel, NormWithAllEightChoices) {
  const auto bits = sample_bytes(997 * 1030);
  for (const auto& [name, table] : this->tables()) {
    for (const auto& [rows, channels] : kExtents) {
      for (int choice = 0; choice < 8; ++choice) {
        SCOPED_TRACE(name + " " + std::to_string(channels) + " choice " + std::to_string(choice));
        expect_norm(table, NormForm{.rows = rows,
                                    .channels = channels,
                                    .relu_before = (choice & 1) != 0,
                                    .relu_after = (choice & 2) != 0,
                                    .relu_limit = channels % 2 == 0 ? 0.3F : INFINITY,
                                    .bits = (choice & 4) != 0 ? bits.data() : nullptr,
                                    .drop_below = 77,
                                    .keep_scale = (choice & 4) != 0 ? 256.0F / 179 : 1.0F});
      }
    }
  }
}

// The end of a residual block, and the gradient past its relu.
template <typename T>
void expect_norm_add(const TypedKernels<T>& kernel, const NormForm& form) {
  const std::int64_t count = form.rows * form.channels;
  const auto x = sample<T>(count, 2);
  const auto added = sample<T>(count, 9);
  const auto dy = sample<T>(count, 3);
  const auto factor = sample<float>(form.channels, 4);
  const auto offset = sample<float>(form.channels, 5);
  std::vector<T> y(x.size());
  std::vector<T> d(x.size());
  std::vector<float> sum_d(factor.size());
  std::vector<float> sum_dx(factor.size());
  kernel.norm_add_forward(form, x.data(), factor.data(), offset.data(), added.data(), y.data());
  kernel.norm_add_sums(form, x.data(), y.data(), dy.data(), d.data(), sum_d.data(), sum_dx.data());
  std::vector<double> expected_d(factor.size(), 0.0);
  std::vector<double> expected_dx(factor.size(), 0.0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = i % factor.size();
    const double sum = static_cast<double>(factor[c]) * real(x[i]) + offset[c] + real(added[i]);
    const double limit = form.relu_limit;
    ASSERT_NEAR(real(y[i]), form.relu_after ? std::clamp(sum, 0.0, limit) : sum,
                store_error(T{}) * 6)
        << i;
    const bool passes = real(y[i]) > 0 && real(y[i]) < limit;
    ASSERT_EQ(real(d[i]), passes ? real(dy[i]) : 0) << i;
    expected_d[c] += real(d[i]);
    expected_dx[c] += real(d[i]) * real(x[i]);
  }
  expect_sums(form, sum_d, expected_d);
  expect_sums(form, sum_dx, expected_dx);
}

TYPED_TEST(EachKernel, NormAndSum) {
  for (const auto& [name, table] : this->tables()) {
    for (const auto& [rows, channels] : kExtents) {
      for (const bool relu : {false, true}) {
        SCOPED_TRACE(name + " " + std::to_string(channels) + (relu ? " relu" : ""));
        expect_norm_add(table, NormForm{.rows = rows,
                                        .channels = channels,
                                        .relu_before = false,
                                        .relu_after = relu,
                                        .relu_limit = channels % 2 == 0 ? 0.3F : INFINITY,
                                        .bits = nullptr,
                                        .drop_below = 0,
                                        .keep_scale = 1});
      }
    }
  }
}

struct Pool {
  std::int64_t height, width, size, stride, padding = 0;
};

std::int64_t out_size(const Pool& pool, std::int64_t size) {
  return (size + 2 * pool.padding - pool.size) / pool.stride + 1;
}

// What a gate gives for one output, and the input that its gradient goes to (-1: none).
struct Gated {
  double value;
  std::int64_t source;
};

template <typename T>
Gated gated(const GateForm& form, const std::vector<T>& x, std::int64_t output) {
  const std::int64_t c = output % form.channels;
  const std::int64_t ox = output / form.channels % form.out_width;
  const std::int64_t oy = output / form.channels / form.out_width % form.out_height;
  const std::int64_t n = output / form.channels / form.out_width / form.out_height;
  double best = -std::numeric_limits<double>::infinity();
  std::int64_t source = -1;
  for (std::int64_t ky = 0; ky < form.size; ++ky) {
    for (std::int64_t kx = 0; kx < form.size; ++kx) {
      const std::int64_t y = oy * form.stride - form.padding + ky;
      const std::int64_t x_at = ox * form.stride - form.padding + kx;
      if (y < 0 || y >= form.height || x_at < 0 || x_at >= form.width) continue;
      const std::int64_t at = ((n * form.height + y) * form.width + x_at) * form.channels + c;
      if (real(x[static_cast<std::size_t>(at)]) <= best) continue;
      best = real(x[static_cast<std::size_t>(at)]);
      source = at;
    }
  }
  const bool dropped = form.bits != nullptr && form.bits[output] < form.drop_below;
  if (dropped || (form.relu && best <= 0)) return {0, -1};
  return {best * form.keep_scale, source};
}

template <typename T>
void expect_gate(const TypedKernels<T>& kernel, const GateForm& form) {
  const std::int64_t inputs = form.samples * form.height * form.width * form.channels;
  const std::int64_t outputs = form.samples * form.out_height * form.out_width * form.channels;
  const auto x = sample<T>(inputs, 9);
  const auto dy = sample<T>(outputs, 10);
  std::vector<T> y(dy.size());
  std::vector<T> dx(x.size());
  for (T& each : dx) set(each, 99);  // must be overwritten
  std::vector<std::uint8_t> code(dy.size());
  kernel.gate_forward(form, x.data(), y.data(), code.data());
  kernel.gate_backward(form, dy.data(), code.data(), dx.data());
  std::vector<double> expected(x.size(), 0.0);
  std::vector<int> windows(x.size(), 0);
  for (std::int64_t o = 0; o < outputs; ++o) {
    const auto at = static_cast<std::size_t>(o);
    const Gated gate = gated(form, x, o);
    ASSERT_NEAR(real(y[at]), gate.value, store_error(T{}) * 2) << o;
    if (gate.source < 0) continue;
    expected[static_cast<std::size_t>(gate.source)] += real(dy[at]) * form.keep_scale;
    ++windows[static_cast<std::size_t>(gate.source)];
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    ASSERT_NEAR(real(dx[i]), expected[i], store_error(T{}) * 4 * (1 + windows[i])) << i;
  }
}

TYPED_TEST(EachKernel, GateWithAnyWindowReluAndDropout) {
  const auto bits = sample_bytes(100'000);
  // Windows that tile, leave an edge, overlap, leave gaps, none, and some that reach over the
  // border.
  const std::vector<Pool> pools = {
      {8, 6, 2, 2},    {7, 9, 2, 2},    {9, 7, 3, 3},    {8, 8, 3, 2},    {6, 7, 2, 1},
      {9, 9, 2, 3},    {9, 8, 1, 2},    {5, 4, 1, 1},    {17, 16, 15, 1}, {8, 7, 3, 2, 1},
      {5, 6, 2, 2, 1}, {4, 3, 5, 1, 2}, {1, 2, 3, 1, 1}, {9, 7, 3, 3, 1}};
  for (const auto& [name, table] : this->tables()) {
    for (const Pool& pool : pools) {
      for (const std::int64_t channels : {1, 3, 48, 70}) {
        for (int choice = 0; choice < 4; ++choice) {
          SCOPED_TRACE(name + " size " + std::to_string(pool.size) + " stride " +
                       std::to_string(pool.stride) + " padding " + std::to_string(pool.padding) +
                       " channels " + std::to_string(channels) + " choice " +
                       std::to_string(choice));
          const bool drops = (choice & 2) != 0;
          expect_gate(table, GateForm{.samples = 3,
                                      .height = pool.height,
                                      .width = pool.width,
                                      .channels = channels,
                                      .out_height = out_size(pool, pool.height),
                                      .out_width = out_size(pool, pool.width),
                                      .size = pool.size,
                                      .stride = pool.stride,
                                      .padding = pool.padding,
                                      .relu = (choice & 1) != 0,
                                      .bits = drops ? bits.data() : nullptr,
                                      .drop_below = 100,
                                      .keep_scale = drops ? 256.0F / 156 : 1.0F});
        }
      }
    }
  }
}

// A training that has diverged must show: a NaN that meets relu or a window that it
// leads does not turn into a number.
TYPED_TEST(EachKernel, GateKeepsNaN) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  for (const auto& [name, table] : this->tables()) {
    for (const bool pool : {false, true}) {
      SCOPED_TRACE(name);
      const std::int64_t size = pool ? 2 : 1;
      std::vector<TypeParam> x(4 * 49);
      for (TypeParam& each : x) set(each, 1);
      for (std::size_t c = 0; c < 49; ++c) {
        if constexpr (sizeof(TypeParam) == 2) {
          x[c].bits = c % 2 == 0 ? 0x7FC0 : 0xFFC0;
        } else {
          set(x[c], c % 2 == 0 ? kNaN : -kNaN);
        }
      }
      std::vector<TypeParam> y(x.size());
      std::vector<std::uint8_t> code(x.size());
      const GateForm form{.samples = 1,
                          .height = 2,
                          .width = 2,
                          .channels = 49,
                          .out_height = 2 / size,
                          .out_width = 2 / size,
                          .size = size,
                          .stride = size,
                          .relu = true,
                          .bits = nullptr,
                          .drop_below = 0,
                          .keep_scale = 1};
      table.gate_forward(form, x.data(), y.data(), code.data());
      for (std::size_t c = 0; c < 49; ++c) ASSERT_TRUE(std::isnan(real(y[c]))) << c;
    }
  }
}

TEST(Kernels, RoundToBf16IsToNearestEven) {
  std::vector<float> values = {0.0F, -0.0F, 1.0F, 3.5F, -1e30F, 1e-40F, 65280.0F};
  for (std::uint32_t upper : {0x3F80U, 0x3F81U, 0xC2FFU, 0x0001U}) {  // even and odd, both signs
    for (const std::uint32_t lower : {0x0000U, 0x7FFFU, 0x8000U, 0x8001U, 0xFFFFU}) {
      values.push_back(std::bit_cast<float>((upper << 16) + lower));
    }
  }
  for (int i = 0; i < 997; ++i)
    values.push_back(std::ldexp(std::sin(1.0F * static_cast<float>(i)), i % 40 - 20));
  for (const auto& [name, table] : all_tables()) {
    std::vector<std::uint16_t> rounded(values.size());
    table->round_to_bf16(values.data(), rounded.data(), static_cast<std::int64_t>(values.size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_EQ(rounded[i], nearest_bf16(values[i])) << name << " " << values[i];
    }
    const float special[] = {std::numeric_limits<float>::infinity(),
                             -std::numeric_limits<float>::infinity(),
                             std::numeric_limits<float>::max(), std::bit_cast<float>(0x7F800001U)};
    std::uint16_t bits[4];
    table->round_to_bf16(special, bits, 4);
    EXPECT_EQ(bits[0], 0x7F80);
    EXPECT_EQ(bits[1], 0xFF80);
    EXPECT_EQ(bits[2], 0x7F80);  // beyond the largest bf16
    EXPECT_EQ(bits[3], 0x7FC0);  // a NaN, not an infinity
  }
}

TEST(Kernels, RandomBytesAreThoseOfTheDocumentedBlocks) {
  const PhiloxKey key = {0x12345678, 0x9ABCDEF0};
  for (const auto& [name, table] : all_tables()) {
    for (const std::uint64_t row :
         {std::uint64_t{0}, std::uint64_t{997}, (std::uint64_t{7} << 32) + 5}) {
      for (const std::int64_t count : {1, 255, 256, 257, 4608}) {
        std::vector<std::uint8_t> bytes(static_cast<std::size_t>(random_bytes_room(count)) + 1,
                                        0xAB);
        table->random_bytes(key.data(), row, count, bytes.data());
        EXPECT_EQ(bytes.back(), 0xAB) << "written past its room";
        for (std::int64_t e = 0; e < count; ++e) {
          const auto block = philox(
              key, {static_cast<std::uint32_t>(16 * (e / 256) + e % 64 / 4),
                    static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(row >> 32), 0});
          const std::uint32_t word = block[static_cast<std::size_t>(e / 64 % 4)];
          ASSERT_EQ(bytes[static_cast<std::size_t>(e)], (word >> (8 * (e % 4))) & 0xFF)
              << name << " " << e;
        }
      }
    }
  }
}

}  // namespace
}  // namespace lockstep
