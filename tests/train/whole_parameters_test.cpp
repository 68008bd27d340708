// LAMB, LARS and Muon against their papers' formulas, evaluated in double parameter by
// parameter.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "lockstep/train/optimizer.h"

namespace lockstep {
namespace {

using As = UpdatePart::As;
using Doubles = std::vector<double>;

constexpr int kSteps = 12;
constexpr std::int64_t kBig = 9000;  // more than two blocks of a norm, the last one not whole
constexpr std::int64_t kSize = 12 * 7 + 13 + 5 * 12 + kBig;

std::vector<float> first_weights() {
  std::vector<float> weights(kSize);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = std::cos(static_cast<float>(i)) / (i < 100 ? 1.0F : 20.0F);
  }
  return weights;
}

std::vector<float> gradients_of(int step) {
  std::vector<float> gradients(kSize);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const double angle = 0.7 * static_cast<double>(i * i % 1009) + 1.3 * step;
    gradients[i] = static_cast<float>(std::sin(angle) * std::pow(10.0, static_cast<double>(i % 3)));
  }
  return gradients;
}

UpdateRule rule_of(int step) {
  return {.learning_rate = 0.02F / static_cast<float>(step),
          .gradient_factor = 1.0F / static_cast<float>(96 + step % 3),
          .step = step};
}

// A matrix, a bias, a matrix of other proportions and a long weight.
std::vector<UpdatePart> parts(As as) {
  const bool matrix = as == As::kMatrix;
  return {{.range = {0, 84},
           .decay = 0.3F,
           .as = as,
           .rows = matrix ? 12 : 0,
           .columns = matrix ? 7 : 0},
          {.range = {84, 97}, .rate_factor = 2},
          {.range = {97, 157},
           .rate_factor = 0.5F,
           .decay = 0.1F,
           .as = as,
           .rows = matrix ? 5 : 0,
           .columns = matrix ? 12 : 0},
          {.range = {157, kSize}, .decay = 0.2F, .as = matrix ? As::kElements : as}};
}

// As the stepper does it: shares are prepared, then ranges updated.
void update(Optimizer& optimizer, int workers, std::vector<float>& weights, int step) {
  const std::vector<float> gradients = gradients_of(step);
  const UpdateRule rule = rule_of(step);
  ASSERT_TRUE(optimizer.prepares());
  for (int worker = 0; worker < workers; ++worker) {
    optimizer.prepare(worker, workers, weights, gradients, rule);
  }
  optimizer.finish_preparation();
  for (const Range range : {Range{0, 1}, Range{1, 90}, Range{90, 5000}, Range{5000, kSize}}) {
    optimizer.update(range, weights, gradients, rule);
  }
}

std::vector<float> trained(const OptimizerOptions& options, As as, int workers,
                           int steps = kSteps) {
  Optimizer optimizer(options, parts(as));
  std::vector<float> weights = first_weights();
  for (int step = 1; step <= steps; ++step) update(optimizer, workers, weights, step);
  return weights;
}

// One step of a parameter: its weights, and its gradient as a mean.
using Step = std::function<void(Doubles& weights, const Doubles& gradient, const UpdateRule& rule,
                                const UpdatePart& part)>;

void expect_formula(const OptimizerOptions& options, As as, const std::function<Step()>& make) {
  const std::vector<float> weights = trained(options, as, 2);
  const std::vector<float> begin = first_weights();
  for (const UpdatePart& part : parts(as)) {
    const auto first = static_cast<std::size_t>(part.range.first);
    const auto last = static_cast<std::size_t>(part.range.last);
    Doubles expected(begin.begin() + part.range.first, begin.begin() + part.range.last);
    const Step take = make();
    for (int step = 1; step <= kSteps; ++step) {
      const UpdateRule rule = rule_of(step);
      const std::vector<float> all = gradients_of(step);
      Doubles gradient;
      for (std::size_t i = first; i < last; ++i) {
        gradient.push_back(static_cast<double>(all[i]) * rule.gradient_factor);
      }
      take(expected, gradient, rule, part);
    }
    double error = 0;
    double moved = 0;
    for (std::size_t i = first; i < last; ++i) {
      error = std::max(error, std::abs(weights[i] - expected[i - first]));
      moved = std::max(moved, std::abs(weights[i] - static_cast<double>(begin[i])));
    }
    EXPECT_LT(error, 3e-6) << first;
    EXPECT_GT(moved, 1e-4) << first;
  }
}

double norm(const Doubles& values) {
  double square = 0;
  for (const double value : values) square += value * value;
  return std::sqrt(square);
}

double rate_of(const UpdateRule& rule, const UpdatePart& part) {
  return static_cast<double>(rule.learning_rate) * part.rate_factor;
}

// Adam's moments, and its direction of a step.
struct Moments {
  Doubles m, v;
  Doubles direction(const Doubles& g, double beta1, double beta2, double epsilon, double t) {
    m.resize(g.size());
    v.resize(g.size());
    Doubles r;
    for (std::size_t i = 0; i < g.size(); ++i) {
      m[i] = beta1 * m[i] + (1 - beta1) * g[i];
      v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
      r.push_back(m[i] / (1 - std::pow(beta1, t)) /
                  (std::sqrt(v[i] / (1 - std::pow(beta2, t))) + epsilon));
    }
    return r;
  }
};

// You et al. 2020, algorithm 2.
Step lamb() {
  return [moments = Moments()](Doubles& w, const Doubles& g, const UpdateRule& rule,
                               const UpdatePart& part) mutable {
    Doubles u = moments.direction(g, 0.9F, 0.999F, 1e-6, static_cast<double>(rule.step));
    for (std::size_t i = 0; i < w.size(); ++i) u[i] += part.decay * w[i];
    const double ratio = part.as == As::kAdapted ? norm(w) / norm(u) : 1;
    for (std::size_t i = 0; i < w.size(); ++i) w[i] -= rate_of(rule, part) * ratio * u[i];
  };
}

// You et al. 2017, algorithm 1.
Step lars() {
  return [m = Doubles()](Doubles& w, const Doubles& g, const UpdateRule& rule,
                         const UpdatePart& part) mutable {
    m.resize(w.size());
    const double local =
        0.01F * (part.as == As::kAdapted ? norm(w) / (norm(g) + part.decay * norm(w)) : 1);
    for (std::size_t i = 0; i < w.size(); ++i) {
      m[i] = 0.9F * m[i] + rate_of(rule, part) * local * (g[i] + part.decay * w[i]);
      w[i] -= m[i];
    }
  };
}

Doubles product(const Doubles& a, const Doubles& b, std::int64_t rows, std::int64_t inner,
                std::int64_t columns) {
  Doubles result(static_cast<std::size_t>(rows * columns));
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      for (std::int64_t k = 0; k < inner; ++k) {
        result[static_cast<std::size_t>(i * columns + j)] +=
            a[static_cast<std::size_t>(i * inner + k)] *
            b[static_cast<std::size_t>(k * columns + j)];
      }
    }
  }
  return result;
}

Doubles transposed(const Doubles& x, std::int64_t rows, std::int64_t columns) {
  Doubles result;
  for (std::int64_t j = 0; j < columns; ++j) {
    for (std::int64_t i = 0; i < rows; ++i) {
      result.push_back(x[static_cast<std::size_t>(i * columns + j)]);
    }
  }
  return result;
}

// Jordan et al. 2024: the quintic iteration, always by the rows' products.
Doubles newton_schulz(Doubles x, std::int64_t rows, std::int64_t columns) {
  const double length = norm(x);
  for (double& value : x) value /= length;
  for (int round = 0; round < 5; ++round) {
    const Doubles a = product(x, transposed(x, rows, columns), rows, columns, rows);
    const Doubles aa = product(a, a, rows, rows, rows);
    Doubles b;
    for (std::size_t i = 0; i < a.size(); ++i) b.push_back(-4.7750 * a[i] + 2.0315 * aa[i]);
    const Doubles bx = product(b, x, rows, rows, columns);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = 3.4445 * x[i] + bx[i];
  }
  return x;
}

Step muon() {
  return [moments = Moments(), m = Doubles()](Doubles& w, const Doubles& g, const UpdateRule& rule,
                                              const UpdatePart& part) mutable {
    const double rate = rate_of(rule, part);
    double scale = 1;
    Doubles o;
    if (part.as == As::kMatrix) {
      m.resize(w.size());
      for (std::size_t i = 0; i < w.size(); ++i) {
        m[i] = 0.95F * m[i] + g[i];
        o.push_back(g[i] + 0.95F * m[i]);
      }
      o = newton_schulz(o, part.rows, part.columns);
      scale = 0.2 * std::sqrt(static_cast<double>(std::max(part.rows, part.columns)));
    } else {
      o = moments.direction(g, 0.9F, 0.999F, 1e-8, static_cast<double>(rule.step));
    }
    for (std::size_t i = 0; i < w.size(); ++i) w[i] -= rate * (part.decay * w[i] + scale * o[i]);
  };
}

TEST(WholeParameters, LambIsItsFormula) { expect_formula(LambOptions{}, As::kAdapted, lamb); }

TEST(WholeParameters, LarsIsItsFormula) {
  expect_formula(LarsOptions{.trust_coefficient = 0.01F}, As::kAdapted, lars);
}

TEST(WholeParameters, MuonIsItsFormula) { expect_formula(MuonOptions{}, As::kMatrix, muon); }

const std::vector<std::pair<OptimizerOptions, As>> kKinds = {
    {LambOptions{}, As::kAdapted}, {LarsOptions{}, As::kAdapted}, {MuonOptions{}, As::kMatrix}};

// The weights that PyTorch 2.11's torch.optim.Muon gives on the CPU, with its orthogonalization
// in float64 in place of bfloat16: lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw",
// w = cos(columns i + j), step t (from 1) having the gradients sin(i^2 + 2 j + i j + 0.1 t),
// after 10 steps.
void expect_muon(std::int64_t rows, std::int64_t columns, const Doubles& expected) {
  const std::int64_t size = rows * columns;
  Optimizer optimizer(
      MuonOptions{.learning_rate = 0.01F},
      {{.range = {0, size}, .decay = 0.1F, .as = As::kMatrix, .rows = rows, .columns = columns}});
  std::vector<float> weights;
  for (std::int64_t k = 0; k < size; ++k) weights.push_back(std::cos(static_cast<float>(k)));
  for (int t = 1; t <= 10; ++t) {
    std::vector<float> gradients;
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        gradients.push_back(static_cast<float>(
            std::sin(static_cast<double>(i * i + 2 * j + i * j) + 0.1 * static_cast<double>(t))));
      }
    }
    optimizer.prepare(0, 1, weights, gradients, {.learning_rate = 0.01F, .step = t});
    optimizer.update({0, size}, weights, gradients, {.learning_rate = 0.01F, .step = t});
  }
  for (std::size_t k = 0; k < expected.size(); ++k) EXPECT_NEAR(weights[k], expected[k], 1e-6) << k;
}

TEST(WholeParameters, MuonGivesTheWeightsOfPyTorch) {
  expect_muon(3, 4,
              {0.968846126, 0.516002710, -0.385321861, -0.972862324, -0.670623766, 0.292976461,
               0.936379438, 0.774733372, -0.125320102, -0.921771997, -0.829834492, 0.029603336});
  expect_muon(4, 2,
              {0.968158575, 0.513155503, -0.431695776, -0.971464753, -0.627360069, 0.273999119,
               0.934803478, 0.722908096});
}

TEST(WholeParameters, BitsDoNotDependOnWorkers) {
  for (const auto& [options, as] : kKinds) {
    const std::vector<float> alone = trained(options, as, 1);
    for (const int workers : {2, 3, 7}) EXPECT_EQ(trained(options, as, workers), alone) << workers;
  }
}

TEST(WholeParameters, BuffersAreAllTheirState) {
  for (const auto& [options, as] : kKinds) {
    Optimizer whole(options, parts(as));
    std::vector<float> weights = first_weights();
    for (int step = 1; step <= 3; ++step) update(whole, 2, weights, step);
    Optimizer resumed(options, parts(as));
    ASSERT_EQ(resumed.buffers().size(), buffer_names(options).size());
    for (std::size_t b = 0; b < whole.buffers().size(); ++b) {
      EXPECT_EQ(resumed.buffers()[b].name, buffer_names(options)[b]);
      resumed.buffers()[b].values = whole.buffers()[b].values;
    }
    for (int step = 4; step <= 6; ++step) update(resumed, 3, weights, step);
    EXPECT_EQ(weights, trained(options, as, 1, 6));
  }
}

// Biases begin at 0; where nothing has a length, a step is a plain one.
TEST(WholeParameters, RatioIsOneWhereALengthIsZero) {
  for (const OptimizerOptions& options :
       {OptimizerOptions(LambOptions{.weight_decay = 0}),
        OptimizerOptions(LarsOptions{.weight_decay = 0, .trust_coefficient = 0.25F})}) {
    Optimizer optimizer(options, 3);
    std::vector<float> weights(3, 0.0F);
    const std::vector<float> gradients = {2, 2, 2};
    optimizer.prepare(0, 1, weights, gradients, {.learning_rate = 0.5F});
    optimizer.finish_preparation();
    optimizer.update({0, 3}, weights, gradients, {.learning_rate = 0.5F});
    // Adam's first step has the length 1; the gradient's is 2, and a quarter is taken of it.
    const float length = std::holds_alternative<LambOptions>(options) ? 1 : 0.5F;
    for (const float weight : weights) EXPECT_NEAR(weight, -0.5F * length, 1e-5);
  }
}

}  // namespace
}  // namespace lockstep
