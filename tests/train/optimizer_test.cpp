// The optimizers against their formulas, evaluated in double one element at a time.

#include "lockstep/train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <memory>

namespace lockstep {
namespace {

constexpr std::size_t kSize = 997;
constexpr int kSteps = 20;

// Gradients of a step: of both signs and several sizes, some of them zero.
std::vector<float> gradients_of(int step) {
  std::vector<float> gradients(kSize);
  for (std::size_t i = 0; i < kSize; ++i) {
    const double angle = 0.7 * static_cast<double>(i) + 1.3 * step;
    gradients[i] =
        i % 17 == 0
            ? 0.0F
            : static_cast<float>(std::sin(angle) * std::pow(10.0, static_cast<double>(i % 5) - 3));
  }
  return gradients;
}

std::vector<float> first_weights() {
  std::vector<float> weights(kSize);
  for (std::size_t i = 0; i < kSize; ++i) weights[i] = std::cos(static_cast<float>(i));
  return weights;
}

// The rule of a step: rates and factors that change.
UpdateRule rule_of(int step) {
  return {.learning_rate = 0.01F / static_cast<float>(step),
          .gradient_factor = 1.0F / static_cast<float>(96 + step % 3),
          .step = step};
}

// One element through all steps: reference(weight, gradient, rule) in double.
using Reference = std::function<double(double weight, double gradient, const UpdateRule& rule)>;

// Runs the optimizer in uneven ranges and compares with a fresh reference for each
// element.
void expect_formula(const OptimizerOptions& options, const std::function<Reference()>& make) {
  Optimizer optimizer(options, kSize);
  std::vector<float> weights = first_weights();
  for (int step = 1; step <= kSteps; ++step) {
    const std::vector<float> gradients = gradients_of(step);
    for (const Range range : {Range{0, 1}, Range{1, 334}, Range{334, 334}, Range{334, 997}}) {
      optimizer.update(range, weights, gradients, rule_of(step));
    }
  }
  std::vector<std::vector<float>> gradients;  // by step, from 1
  for (int step = 0; step <= kSteps; ++step) gradients.push_back(gradients_of(step));
  const std::vector<float> begin = first_weights();
  double largest_error = 0;
  for (std::size_t i = 0; i < kSize; ++i) {
    const Reference reference = make();
    double weight = begin[i];
    for (int step = 1; step <= kSteps; ++step) {
      const UpdateRule rule = rule_of(step);
      const double gradient =
          static_cast<double>(gradients[static_cast<std::size_t>(step)][i]) * rule.gradient_factor;
      weight = reference(weight, gradient, rule);
    }
    largest_error = std::max(largest_error, std::abs(weight - weights[i]));
  }
  EXPECT_LT(largest_error, 2e-6);
}

// Kingma and Ba 2015, algorithm 1; with `decay`, Loshchilov and Hutter 2019,
// algorithm 2.
Reference adam_reference(double beta1, double beta2, double epsilon, double decay) {
  auto m = std::make_shared<double>(0);
  auto v = std::make_shared<double>(0);
  return [=](double weight, double g, const UpdateRule& rule) {
    *m = beta1 * *m + (1 - beta1) * g;
    *v = beta2 * *v + (1 - beta2) * g * g;
    const double t = static_cast<double>(rule.step);
    const double m_hat = *m / (1 - std::pow(beta1, t));
    const double v_hat = *v / (1 - std::pow(beta2, t));
    const double a = rule.learning_rate;
    return weight - a * decay * weight - a * m_hat / (std::sqrt(v_hat) + epsilon);
  };
}

Reference sgd_reference(const SgdOptions& options) {
  auto m = std::make_shared<double>(0);
  return [=](double weight, double g, const UpdateRule& rule) {
    g += options.weight_decay * weight;
    *m = options.momentum * *m + g;
    const double direction = options.nesterov ? g + options.momentum * *m : *m;
    return weight - rule.learning_rate * direction;
  };
}

TEST(Optimizer, AdamIsItsFormula) {
  expect_formula(AdamOptions{}, [] { return adam_reference(0.9, 0.999, 1e-8, 0); });
  const AdamOptions other{.beta1 = 0.5F, .beta2 = 0.9F, .epsilon = 1e-3F};
  expect_formula(other, [] { return adam_reference(0.5, 0.9F, 1e-3, 0); });
}

TEST(Optimizer, AdamWDecaysTheWeightsThemselves) {
  expect_formula(AdamWOptions{.weight_decay = 0.3F},
                 [] { return adam_reference(0.9, 0.999, 1e-8, 0.3); });
}

TEST(Optimizer, SgdIsItsFormula) {
  for (const SgdOptions& options :
       {SgdOptions{}, SgdOptions{.momentum = 0}, SgdOptions{.weight_decay = 0.1F},
        SgdOptions{.nesterov = true}, SgdOptions{.weight_decay = 0.1F, .nesterov = true}}) {
    expect_formula(options, [options] { return sgd_reference(options); });
  }
}

// The weights that PyTorch 2.11's optimizers give on the CPU for w = [1, -2, 0.5], step t
// (from 1) having the gradients [0.1 t, -0.2, 0.3 / t], after 20 steps.
std::vector<float> after_20_steps(const OptimizerOptions& options) {
  Optimizer optimizer(options, 3);
  std::vector<float> weights = {1, -2, 0.5F};
  for (int t = 1; t <= 20; ++t) {
    const auto step = static_cast<float>(t);
    const std::vector<float> gradients = {0.1F * step, -0.2F, 0.3F / step};
    optimizer.update({0, 3}, weights, gradients, {base_learning_rate(options), 1, t});
  }
  return weights;
}

void expect_weights(const OptimizerOptions& options, const std::vector<double>& expected) {
  const std::vector<float> weights = after_20_steps(options);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(weights[i], expected[i], 1e-6) << i;
}

TEST(Optimizer, GivesTheWeightsOfPyTorch) {
  expect_weights(AdamOptions{.learning_rate = 0.01F}, {0.79239082, -1.80000019, 0.37608606});
  expect_weights(AdamWOptions{.learning_rate = 0.01F, .weight_decay = 0.1F},
                 {0.77447325, -1.76226699, 0.36755386});
  expect_weights(SgdOptions{.learning_rate = 0.01F, .momentum = 0},
                 {0.79000002, -1.96000051, 0.48920685});
  expect_weights(SgdOptions{}, {-0.01152278, -1.75811636, 0.41756055});
  expect_weights(SgdOptions{.weight_decay = 0.1F}, {-0.1097609, -1.53098738, 0.36285043});
  expect_weights(SgdOptions{.weight_decay = 0.1F, .nesterov = true},
                 {-0.21843703, -1.50354934, 0.35774311});
}

TEST(Optimizer, ZeroGradientsLeaveFreshWeightsAlone) {
  for (const OptimizerOptions& options :
       {OptimizerOptions(AdamOptions{}), OptimizerOptions(SgdOptions{})}) {
    Optimizer optimizer(options, kSize);
    std::vector<float> weights = first_weights();
    optimizer.update({0, kSize}, weights, std::vector<float>(kSize, 0.0F), {0.1F, 1, 1});
    EXPECT_EQ(weights, first_weights());
  }
}

TEST(Optimizer, UpdatesItsRangeOnly) {
  Optimizer optimizer(AdamOptions{}, kSize);
  std::vector<float> weights = first_weights();
  optimizer.update({100, 200}, weights, std::vector<float>(kSize, 1.0F), {0.1F, 1, 1});
  for (std::size_t i = 0; i < kSize; ++i) {
    EXPECT_EQ(weights[i] == first_weights()[i], i < 100 || i >= 200) << i;
  }
}

// The run state: buffers put into a new optimizer go on with the same bits.
TEST(Optimizer, BuffersAreAllItsState) {
  for (const OptimizerOptions& options :
       {OptimizerOptions(AdamOptions{}), OptimizerOptions(AdamWOptions{}),
        OptimizerOptions(SgdOptions{})}) {
    Optimizer whole(options, kSize);
    std::vector<float> weights = first_weights();
    for (int step = 1; step <= 7; ++step) {
      whole.update({0, kSize}, weights, gradients_of(step), rule_of(step));
    }
    Optimizer resumed(options, kSize);
    ASSERT_EQ(resumed.buffers().size(), whole.buffers().size());
    for (std::size_t b = 0; b < whole.buffers().size(); ++b) {
      EXPECT_EQ(resumed.buffers()[b].name, whole.buffers()[b].name);
      EXPECT_EQ(resumed.buffers()[b].values, std::vector<float>(kSize, 0.0F));
      resumed.buffers()[b].values = whole.buffers()[b].values;
    }
    std::vector<float> again = weights;
    whole.update({0, kSize}, weights, gradients_of(8), rule_of(8));
    resumed.update({0, kSize}, again, gradients_of(8), rule_of(8));
    EXPECT_EQ(weights, again);
  }
}

TEST(Optimizer, BaseLearningRateIsTheOption) {
  EXPECT_EQ(base_learning_rate(AdamOptions{.learning_rate = 0.25F}), 0.25F);
  EXPECT_EQ(base_learning_rate(AdamWOptions{.learning_rate = 0.5F}), 0.5F);
  EXPECT_EQ(base_learning_rate(SgdOptions{.learning_rate = 0.125F}), 0.125F);
}

}  // namespace
}  // namespace lockstep
