#include "model/loss.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/one_hot.h>
#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

namespace lockstep {
namespace {

constexpr int kSamples = 37;
constexpr int kClasses = 7;
const std::vector<float> kClassWeights = {0.5F, 3, 1, 0.25F, 2, 1.5F, 0.125F};

std::vector<float> some_logits() {
  std::vector<float> logits;
  for (int n = 0; n < kSamples; ++n) {
    for (int c = 0; c < kClasses; ++c) {
      logits.push_back(static_cast<float>((n % 5 + 1) * 6 * std::sin(1.3 * n + 2.1 * c)));
    }
  }
  return logits;
}

Batch with_labels(std::vector<std::int32_t> labels) {
  Batch batch;
  batch.size = static_cast<int>(labels.size());
  batch.labels = std::move(labels);
  return batch;
}

Batch labelled() {
  std::vector<std::int32_t> labels;
  for (int n = 0; n < kSamples; ++n) labels.push_back(n * n % kClasses);
  return with_labels(labels);
}

// Second labels, sometimes the same, with parts from 0 to 1.
Batch mixed() {
  Batch batch = labelled();
  for (int n = 0; n < kSamples; ++n) {
    batch.other_labels.push_back((n + 3) % kClasses);
    batch.label_parts.push_back(static_cast<float>(n) / (kSamples - 1));
  }
  return batch;
}

at::Tensor doubles(const std::vector<float>& values, at::IntArrayRef shape) {
  return at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat).to(at::kDouble);
}

at::Tensor classes_of(const std::vector<std::int32_t>& labels) {
  return at::from_blob(const_cast<std::int32_t*>(labels.data()), {kSamples}, at::kInt)
      .to(at::kLong);
}

LaneContext context_of(float smoothing, std::span<const float> class_weights = {}) {
  return {.label_smoothing = smoothing, .class_weights = class_weights};
}

// `loss` of LibTorch, of `x`, is the loss divided by `divisor`; so are the gradients.
void expect_as_libtorch(const LaneResult& result, const std::vector<float>& gradient,
                        double divisor, const at::Tensor& x, const at::Tensor& loss) {
  loss.backward();
  EXPECT_NEAR(result.loss_sum / divisor, loss.item<double>(), 1e-6 * loss.item<double>());
  const at::Tensor expected = x.grad();
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    ASSERT_NEAR(gradient[i] / divisor, expected.data_ptr<double>()[i], 1e-6) << i;
  }
}

TEST(CrossEntropy, IsThatOfLibTorchWithAnySmoothing) {
  const std::vector<float> logits = some_logits();
  const Batch batch = labelled();
  for (const float smoothing : {0.0F, 0.1F, 0.9F}) {
    std::vector<float> gradient(logits.size());
    const LaneResult result = cross_entropy(logits, batch, context_of(smoothing), gradient);
    const at::Tensor x = doubles(logits, {kSamples, kClasses}).requires_grad_(true);
    const at::Tensor y = classes_of(batch.labels);
    expect_as_libtorch(result, gradient, 1, x,
                       at::cross_entropy_loss(x, y, {}, at::Reduction::Sum, -100, smoothing));
    EXPECT_EQ(result.correct, x.argmax(1).eq(y).sum().item<double>());
    EXPECT_EQ(result.weight, kSamples);
  }
}

// The mean that LibTorch gives divides by the sum of the labels' weights.
TEST(CrossEntropy, WeightsClassesAsLibTorch) {
  const std::vector<float> logits = some_logits();
  const Batch batch = labelled();
  for (const float smoothing : {0.0F, 0.2F}) {
    std::vector<float> gradient(logits.size());
    const LaneResult result =
        cross_entropy(logits, batch, context_of(smoothing, kClassWeights), gradient);
    const at::Tensor x = doubles(logits, {kSamples, kClasses}).requires_grad_(true);
    expect_as_libtorch(
        result, gradient, result.weight, x,
        at::cross_entropy_loss(x, classes_of(batch.labels), doubles(kClassWeights, {kClasses}),
                               at::Reduction::Mean, -100, smoothing));
  }
}

// By LibTorch's loss of probabilities, with and without weights of classes.
TEST(CrossEntropy, OfTwoLabelsIsThatOfTheirProbabilities) {
  const std::vector<float> logits = some_logits();
  const Batch batch = mixed();
  const at::Tensor own = at::one_hot(classes_of(batch.labels), kClasses).to(at::kDouble);
  const at::Tensor other = at::one_hot(classes_of(batch.other_labels), kClasses).to(at::kDouble);
  const at::Tensor parts = doubles(batch.label_parts, {kSamples, 1});
  const at::Tensor targets = own.mul(parts).add(other.mul(parts.neg().add(1)));
  const at::Tensor weights = doubles(kClassWeights, {kClasses});
  for (const float smoothing : {0.0F, 0.2F}) {
    for (const bool weighted : {false, true}) {
      std::vector<float> gradient(logits.size());
      const LaneContext context =
          context_of(smoothing, weighted ? std::span(kClassWeights) : std::span<const float>());
      const LaneResult result = cross_entropy(logits, batch, context, gradient);
      const at::Tensor x = doubles(logits, {kSamples, kClasses}).requires_grad_(true);
      expect_as_libtorch(result, gradient, 1, x,
                         at::cross_entropy_loss(x, targets, weighted ? weights : at::Tensor(),
                                                at::Reduction::Sum, -100, smoothing));
      const double expected = weighted ? targets.mul(weights).sum().item<double>() : kSamples;
      EXPECT_NEAR(result.weight, expected, 1e-5);
    }
  }
}

TEST(CrossEntropy, TheHeavierLabelIsTheRightOne) {
  const std::vector<float> logits = {0, 3, 1, 0, 3, 1, 0, 3, 1};
  Batch batch = with_labels({1, 0, 1});
  batch.other_labels = {0, 1, 0};
  batch.label_parts = {0.75F, 0.25F, 0.25F};
  std::vector<float> gradient(9);
  EXPECT_EQ(cross_entropy(logits, batch, {}, gradient).correct, 2);
}

TEST(CrossEntropy, LargeLogitsStayFinite) {
  const std::vector<float> logits = {1e4F, -1e4F, 0};
  std::vector<float> gradient(3);
  EXPECT_EQ(cross_entropy(logits, with_labels({0}), {}, gradient).loss_sum, 0);
  EXPECT_EQ(gradient, (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(cross_entropy(logits, with_labels({1}), {}, gradient).loss_sum, 2e4F);
  EXPECT_EQ(gradient, (std::vector<float>{1, -1, 0}));
}

TEST(CrossEntropy, NaNShowsInLossAndGradient) {
  const std::vector<float> logits = {0, std::nanf(""), 1};
  std::vector<float> gradient(3);
  EXPECT_TRUE(std::isnan(cross_entropy(logits, with_labels({0}), {}, gradient).loss_sum));
  EXPECT_TRUE(std::isnan(gradient[0]));
}

// Of equal logits the first one counts as the largest.
TEST(CrossEntropy, TiesGoToTheFirst) {
  const std::vector<float> logits = {2, 2, 1};
  std::vector<float> gradient(3);
  EXPECT_EQ(cross_entropy(logits, with_labels({0}), {}, gradient).correct, 1);
  EXPECT_EQ(cross_entropy(logits, with_labels({1}), {}, gradient).correct, 0);
}

}  // namespace
}  // namespace lockstep
