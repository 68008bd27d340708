#include "model/loss.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/from_blob.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace lockstep {
namespace {

TEST(CrossEntropy, IsThatOfLibTorchWithAnySmoothing) {
  constexpr int kSamples = 37;
  constexpr int kClasses = 7;
  std::vector<float> logits;
  std::vector<std::int32_t> labels;
  for (int n = 0; n < kSamples; ++n) {
    labels.push_back(n * n % kClasses);
    for (int c = 0; c < kClasses; ++c) {
      logits.push_back(static_cast<float>((n % 5 + 1) * 6 * std::sin(1.3 * n + 2.1 * c)));
    }
  }
  for (const float smoothing : {0.0F, 0.1F, 0.9F}) {
    std::vector<float> gradient(logits.size());
    const LaneResult result = cross_entropy(logits, labels, smoothing, gradient);
    const at::Tensor x = at::from_blob(logits.data(), {kSamples, kClasses}, at::kFloat)
                             .to(at::kDouble)
                             .requires_grad_(true);
    const at::Tensor y = at::from_blob(labels.data(), {kSamples}, at::kInt).to(at::kLong);
    const at::Tensor loss = at::cross_entropy_loss(x, y, {}, at::Reduction::Sum, -100, smoothing);
    loss.backward();
    EXPECT_NEAR(result.loss_sum, loss.item<double>(), 1e-6 * loss.item<double>());
    EXPECT_EQ(result.correct, x.argmax(1).eq(y).sum().item<double>());
    const at::Tensor expected = x.grad();
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      ASSERT_NEAR(gradient[i], expected.data_ptr<double>()[i], 1e-6) << i;
    }
  }
}

TEST(CrossEntropy, LargeLogitsStayFinite) {
  const std::vector<float> logits = {1e4F, -1e4F, 0};
  const std::vector<std::int32_t> right = {0};
  const std::vector<std::int32_t> wrong = {1};
  std::vector<float> gradient(3);
  EXPECT_EQ(cross_entropy(logits, right, 0, gradient).loss_sum, 0);
  EXPECT_EQ(gradient, (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(cross_entropy(logits, wrong, 0, gradient).loss_sum, 2e4F);
  EXPECT_EQ(gradient, (std::vector<float>{1, -1, 0}));
}

TEST(CrossEntropy, NaNShowsInLossAndGradient) {
  const std::vector<float> logits = {0, std::nanf(""), 1};
  const std::vector<std::int32_t> label = {0};
  std::vector<float> gradient(3);
  EXPECT_TRUE(std::isnan(cross_entropy(logits, label, 0, gradient).loss_sum));
  EXPECT_TRUE(std::isnan(gradient[0]));
}

// Of equal logits the first one counts as the largest.
TEST(CrossEntropy, TiesGoToTheFirst) {
  const std::vector<float> logits = {2, 2, 1};
  std::vector<float> gradient(3);
  EXPECT_EQ(cross_entropy(logits, std::vector<std::int32_t>{0}, 0, gradient).correct, 1);
  EXPECT_EQ(cross_entropy(logits, std::vector<std::int32_t>{1}, 0, gradient).correct, 0);
}

}  // namespace
}  // namespace lockstep
