// The initial weights of PyTorch, torchvision and timm: their spread and their limits.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lockstep/model/network.h"

namespace lockstep {
namespace {

// A convolution in groups: fan_in 8 * 25, fan_out 64 * 25; a dense layer of 1024 to 200.
Network network_of(Initializer initializer) {
  return Network({{ConvOptions{.filters = 64,
                               .kernel = 5,
                               .padding = Padding::kSame,
                               .groups = 4,
                               .initializer = initializer},
                   FlattenOptions{}, DenseOptions{.units = 200, .initializer = initializer},
                   DenseOptions{.units = 3, .initializer = initializer}}},
                 {4, 4, 32}, 3);
}

struct Spread {
  double mean = 0;
  double square = 0;
  double largest = 0;
  double count = 0;
};

Spread spread_of(const Network& network, const std::string& name) {
  const std::vector<float> weights = network.initial_weights(7);
  Spread spread;
  for (const Parameter& parameter : network.parameters()) {
    if (parameter.name != name) continue;
    spread.count = static_cast<double>(parameter.range.size());
    for (std::int64_t i = parameter.range.first; i < parameter.range.last; ++i) {
      const double value = weights[static_cast<std::size_t>(i)];
      spread.mean += value / spread.count;
      spread.square += value * value / spread.count;
      spread.largest = std::max(spread.largest, std::abs(value));
    }
  }
  EXPECT_GT(spread.count, 0) << name;
  return spread;
}

// Tolerances: five deviations of the estimates from that many draws.
void expect_normal(const Spread& spread, double deviation) {
  const double variance = deviation * deviation;
  EXPECT_NEAR(spread.mean, 0, 5 * deviation / std::sqrt(spread.count));
  EXPECT_NEAR(spread.square / variance, 1, 5 * std::sqrt(2 / spread.count));
  EXPECT_GT(spread.largest, 2.5 * deviation);  // it has tails
}

void expect_uniform(const Spread& spread, double bound) {
  const double variance = bound * bound / 3;
  EXPECT_NEAR(spread.mean, 0, 5 * std::sqrt(variance / spread.count));
  EXPECT_NEAR(spread.square / variance, 1, 5 * std::sqrt(0.8 / spread.count));
  EXPECT_LE(spread.largest, bound * (1 + 1e-6));
  EXPECT_GT(spread.largest, bound * (1 - 10 / spread.count));
}

// torch.nn: the same bound for weights and biases, 1 / sqrt(fan_in).
TEST(Initializers, OfPytorch) {
  const Network network = network_of(Initializer::kPytorch);
  expect_uniform(spread_of(network, "0.conv.weight"), 1 / std::sqrt(8.0 * 25));
  expect_uniform(spread_of(network, "0.conv.bias"), 1 / std::sqrt(8.0 * 25));
  expect_uniform(spread_of(network, "2.dense.weight"), 1 / std::sqrt(1024.0));
  expect_uniform(spread_of(network, "2.dense.bias"), 1 / std::sqrt(1024.0));
}

TEST(Initializers, OfTorchvisionsConvolutions) {
  const Network network = network_of(Initializer::kKaimingNormalFanOut);
  expect_normal(spread_of(network, "0.conv.weight"), std::sqrt(2 / (64.0 * 25)));
  expect_normal(spread_of(network, "2.dense.weight"), std::sqrt(2 / 200.0));
  EXPECT_EQ(spread_of(network, "0.conv.bias").largest, 0);
}

TEST(Initializers, OfTimm) {
  const Network network = network_of(Initializer::kTruncatedNormal);
  expect_normal(spread_of(network, "0.conv.weight"), 0.02);
  expect_normal(spread_of(network, "2.dense.weight"), 0.02);
  EXPECT_EQ(spread_of(network, "2.dense.bias").largest, 0);
}

}  // namespace
}  // namespace lockstep
