// Layer norm by the kernels of every instruction set against loops in double.

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "model/kernel_samples.h"

namespace lockstep {
namespace {

using namespace samples;

constexpr float kEpsilon = 1e-3F;

using Types = testing::Types<float, Bf16>;
template <typename T>
class LayerNorm : public EachKernel<T> {};
TYPED_TEST_SUITE(LayerNorm, Types);

// A row by the definition: its normal values, and the gradient of its inputs.
struct Row {
  double mean = 0;
  double inverse = 0;
  std::vector<double> normal, dx;
};

template <typename T>
Row row_of(const T* x, const T* dy, const std::vector<float>& scale) {
  const auto count = static_cast<double>(scale.size());
  Row row;
  for (std::size_t c = 0; c < scale.size(); ++c) row.mean += real(x[c]) / count;
  double variance = 0;
  for (std::size_t c = 0; c < scale.size(); ++c) {
    variance += (real(x[c]) - row.mean) * (real(x[c]) - row.mean) / count;
  }
  row.inverse = 1 / std::sqrt(variance + kEpsilon);
  double mean_d = 0;
  double mean_dx = 0;
  for (std::size_t c = 0; c < scale.size(); ++c) {
    row.normal.push_back((real(x[c]) - row.mean) * row.inverse);
    mean_d += scale[c] * real(dy[c]) / count;
    mean_dx += scale[c] * real(dy[c]) * row.normal[c] / count;
  }
  for (std::size_t c = 0; c < scale.size(); ++c) {
    row.dx.push_back(row.inverse * (scale[c] * real(dy[c]) - mean_d - row.normal[c] * mean_dx));
  }
  return row;
}

TYPED_TEST(LayerNorm, ForwardAndBackward) {
  const double stored = store_error(TypeParam{});
  for (const auto& [name, table] : this->tables()) {
    for (const auto& [rows, channels] :
         {std::pair<std::int64_t, std::int64_t>{1, 1}, {65, 3}, {997, 17}, {64, 32}, {7, 1030}}) {
      SCOPED_TRACE(name + " " + std::to_string(rows) + "x" + std::to_string(channels));
      const auto width = static_cast<std::size_t>(channels);
      const auto x = sample<TypeParam>(rows * channels, 1);
      const auto dy = sample<TypeParam>(rows * channels, 2);
      const auto scale = sample<float>(channels, 3);
      const auto shift = sample<float>(channels, 4);
      std::vector<TypeParam> y(x.size());
      std::vector<TypeParam> dx(x.size());
      std::vector<float> mean(static_cast<std::size_t>(rows));
      std::vector<float> inverse(mean.size());
      std::vector<float> d_scale(width);
      std::vector<float> d_shift(width);
      table.layer_norm_forward(x.data(), rows, channels, kEpsilon, scale.data(), shift.data(),
                               y.data(), mean.data(), inverse.data());
      table.layer_norm_backward(x.data(), dy.data(), rows, channels, scale.data(), mean.data(),
                                inverse.data(), dx.data(), d_scale.data(), d_shift.data());
      std::vector<double> expected_scale(width, 0.0);
      std::vector<double> expected_shift(width, 0.0);
      for (std::size_t r = 0; r < mean.size(); ++r) {
        const Row row = row_of(&x[r * width], &dy[r * width], scale);
        ASSERT_NEAR(mean[r], row.mean, 1e-6);
        for (std::size_t c = 0; c < width; ++c) {
          const std::size_t i = r * width + c;
          const double value = scale[c] * row.normal[c] + shift[c];
          ASSERT_NEAR(real(y[i]), value, stored * (2 + std::abs(value))) << i;
          ASSERT_NEAR(real(dx[i]), row.dx[c], stored * (row.inverse + std::abs(row.dx[c]))) << i;
          expected_scale[c] += real(dy[i]) * row.normal[c];
          expected_shift[c] += real(dy[i]);
        }
      }
      for (std::size_t c = 0; c < width; ++c) {
        ASSERT_NEAR(d_scale[c], expected_scale[c], 3e-6 * static_cast<double>(rows)) << c;
        ASSERT_NEAR(d_shift[c], expected_shift[c], 1e-6 * static_cast<double>(rows)) << c;
      }
    }
  }
}

}  // namespace
}  // namespace lockstep
