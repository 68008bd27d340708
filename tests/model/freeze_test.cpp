// Frozen parameters: where they lie, and a pass without their gradients.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lockstep/core/error.h"
#include "model/gradients.h"
#include "model/torch_reference.h"

namespace lockstep {
namespace {

using Patterns = std::vector<std::string>;

constexpr ImageShape kShape{9, 8, 2};
constexpr int kClasses = 6;
constexpr LaneContext kContext{77, 3, 0.1F};

// A norm by itself, one with a relu before and after and dropout, own kernels' layers in bf16.
ModelOptions model() {
  return {{ConvOptions{.filters = 16, .padding = Padding::kSame}, BatchNormOptions{},
           ConvOptions{.filters = 16, .activation = ActivationKind::kRelu}, BatchNormOptions{},
           ActivationOptions{}, DropoutOptions{.rate = 0.25F}, MaxPoolOptions{}, FlattenOptions{},
           DenseOptions{.units = 32, .activation = ActivationKind::kGelu}, BatchNormOptions{},
           DenseOptions{.units = kClasses}}};
}

// Two residual blocks, the first with a shortcut of its own.
ModelOptions residual_model() {
  const ConvOptions conv{.filters = 16, .padding = Padding::kSame, .bias = false};
  const ConvOptions side{.filters = 16, .kernel = 1, .bias = false};
  ResidualOptions block{
      .layers = {conv, BatchNormOptions{}, ActivationOptions{}, conv, BatchNormOptions{}},
      .shortcut = {{side, BatchNormOptions{}}},
      .activation = ActivationKind::kRelu,
      .drop_path = 0.25F};
  ModelOptions model{{conv, block}};
  block.shortcut = {};
  model.layers.push_back(block);
  model.layers.push_back(AvgPoolOptions{.global = true});
  model.layers.push_back(DenseOptions{.units = kClasses});
  return model;
}

Network network(const Patterns& freeze = {}, const ModelOptions& options = model()) {
  return {options, kShape, kClasses, freeze};
}

std::string refusal(const Patterns& freeze) {
  try {
    network(freeze);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.what();
  }
  return "";
}

const Parameter& find(const Network& network, const std::string& name) {
  const auto& all = network.parameters();
  return *std::find_if(all.begin(), all.end(),
                       [&](const Parameter& each) { return each.name == name; });
}

std::span<float> part(std::vector<float>& flat, Range range, std::int64_t base = 0) {
  return std::span(flat).subspan(static_cast<std::size_t>(range.first - base),
                                 static_cast<std::size_t>(range.size()));
}

// The same values whatever is frozen, none of them as a run begins.
std::vector<float> values_of(const Network& network) {
  std::vector<float> values = network.initial_weights(9);
  for (const Parameter& parameter : network.parameters()) {
    if (parameter.name.ends_with(".weight")) continue;
    float i = 0;
    for (float& value : part(values, parameter.range)) value += 0.3F * std::sin(1.7F * ++i);
  }
  return values;
}

struct Trained {
  std::vector<float> gradients;
  std::vector<float> statistics;
  float loss = 0;
};

Trained train(const Network& network, Precision precision) {
  prepare_worker_thread();
  Trained trained;
  trained.gradients.assign(static_cast<std::size_t>(network.trainable_size()), 0.0F);
  trained.statistics.assign(static_cast<std::size_t>(network.statistics_size()), 0.0F);
  LaneExecutor executor(network, precision);
  const Weights weights(values_of(network), precision);
  for (int pass = 0; pass < 2; ++pass) {  // nothing is left of the first
    trained.loss = executor
                       .train(weights, gradients::batch_of(kShape, 13, kClasses), kContext,
                              trained.gradients, trained.statistics)
                       .loss_sum;
  }
  return trained;
}

TEST(Freeze, NothingLeavesEverythingWhereItWas) {
  const Network plain = network();
  EXPECT_EQ(plain.changing_size(), plain.total_size());
  std::int64_t end = 0;
  for (const Parameter& each : plain.parameters()) {
    EXPECT_FALSE(each.frozen);
    EXPECT_EQ(each.range.first, end);
    end = (each.range.last + 15) / 16 * 16;
  }
}

TEST(Freeze, FrozenOnesLieBehindAllThatChanges) {
  const Network plain = network();
  const Network frozen = network({"0.*", "1.*", "2.conv.bias"});
  ASSERT_EQ(frozen.parameters().size(), plain.parameters().size());
  std::int64_t of_frozen = 0;
  for (std::size_t i = 0; i < plain.parameters().size(); ++i) {
    const Parameter& each = frozen.parameters()[i];
    EXPECT_EQ(each.name, plain.parameters()[i].name);
    EXPECT_EQ(each.range.first % 16, 0);
    const bool expected =
        each.name.starts_with("0.") || each.name.starts_with("1.") || each.name == "2.conv.bias";
    EXPECT_EQ(each.frozen, expected) << each.name;
    EXPECT_EQ(each.range.first >= frozen.changing_size(), expected) << each.name;
    EXPECT_EQ(each.range.last <= frozen.trainable_size(),
              !expected && each.name.find("running") == std::string::npos)
        << each.name;
    if (expected) of_frozen += each.range.size();
  }
  EXPECT_EQ(frozen.total_size(), plain.total_size());
  EXPECT_EQ(frozen.trainable_parameter_count(),
            plain.trainable_parameter_count() - (of_frozen - 2 * 16));
  EXPECT_EQ(frozen.layers()[0].trainable_parameters, 0);
  EXPECT_EQ(frozen.layers()[1].trainable_parameters, 0);
  EXPECT_EQ(frozen.layers()[2].trainable_parameters, plain.layers()[2].trainable_parameters - 16);
  EXPECT_EQ(frozen.layers()[3].trainable_parameters, plain.layers()[3].trainable_parameters);
  // A value stays with its name.
  std::vector<float> a = plain.initial_weights(5);
  std::vector<float> b = frozen.initial_weights(5);
  for (std::size_t i = 0; i < plain.parameters().size(); ++i) {
    const auto of_a = part(a, plain.parameters()[i].range);
    const auto of_b = part(b, frozen.parameters()[i].range);
    EXPECT_TRUE(std::equal(of_a.begin(), of_a.end(), of_b.begin(), of_b.end()));
  }
  EXPECT_EQ(Weights(a, Precision::kFp32).digest(plain),
            Weights(b, Precision::kFp32).digest(frozen));
}

TEST(Freeze, PatternsThatAreForNothingAreRefused) {
  EXPECT_EQ(refusal({"0.conf.weight"}),
            "initialize.freeze: \"0.conf.weight\" is for no trainable parameter; expected one as "
            "\"0.conv.weight\", or \"0.conv.*\"; did you mean \"0.conv.weight\"?");
  EXPECT_NE(refusal({"1.batch_norm.running_mean"}), "");
  EXPECT_NE(refusal({"*", "!11.*"}), "");
  EXPECT_EQ(refusal({"*"}), "initialize.freeze: nothing is left to train");
  EXPECT_EQ(refusal({"*", "!10.*"}), "");
}

// What is trained has the gradient that it has where all is, bit for bit: a pass forward is the
// same while the norms are trained.
void expect_gradients_of_whole(const ModelOptions& options, const std::vector<Patterns>& freezes) {
  for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
    const Network plain = network({}, options);
    Trained whole = train(plain, precision);
    for (const Patterns& freeze : freezes) {
      const Network frozen = network(freeze, options);
      Trained rest = train(frozen, precision);
      EXPECT_EQ(rest.loss, whole.loss);
      for (const Parameter& each : frozen.parameters()) {
        if (each.frozen) continue;
        const bool running = is_statistic(each.role);
        const auto mine = running ? part(rest.statistics, each.range, frozen.trainable_size())
                                  : part(rest.gradients, each.range);
        const Range range = find(plain, each.name).range;
        const auto its = running ? part(whole.statistics, range, plain.trainable_size())
                                 : part(whole.gradients, range);
        EXPECT_TRUE(std::equal(mine.begin(), mine.end(), its.begin(), its.end()))
            << each.name << " with " << freeze.front();
      }
    }
  }
}

TEST(Freeze, OtherGradientsAreThoseOfTheWholeNetwork) {
  expect_gradients_of_whole(model(), {{"0.*"},
                                      {"2.*"},
                                      {"2.conv.weight"},
                                      {"2.conv.bias"},
                                      {"8.*"},
                                      {"8.dense.weight"},
                                      {"8.dense.bias"},
                                      {"1.batch_norm.scale"},
                                      {"3.batch_norm.shift", "10.dense.bias"},
                                      {"*.weight"},
                                      {"*.bias"}});
}

TEST(Freeze, OtherGradientsInBlocksToo) {
  expect_gradients_of_whole(residual_model(), {{"0.*"},
                                               {"0.*", "1.residual.0.*"},
                                               {"0.*", "1.residual.shortcut.0.*"},
                                               {"1.residual.*.conv.weight"},
                                               {"2.residual.3.conv.weight"},
                                               {"*.conv.weight"}});
}

void expect_as_reference(const ModelOptions& options, const Patterns& freeze) {
  SCOPED_TRACE(freeze.back());
  const Network frozen = network(freeze, options);
  const std::vector<float> values = values_of(frozen);
  Trained trained = train(frozen, Precision::kFp32);
  samples::TorchReference reference(options, frozen, values);
  EXPECT_NEAR(trained.loss, reference.train(gradients::batch_of(kShape, 13, kClasses), kContext),
              1e-4);
  double largest = 0;
  for (const Parameter& each : frozen.parameters()) {
    if (each.frozen || is_statistic(each.role)) continue;
    largest = std::max(largest, reference.gradient(each.name).abs().max().item<double>());
  }
  for (const Parameter& each : frozen.parameters()) {
    if (each.frozen || is_statistic(each.role)) continue;
    const at::Tensor expected = reference.gradient(each.name).contiguous();
    const auto found = part(trained.gradients, each.range);
    for (std::size_t i = 0; i < found.size(); ++i) {
      ASSERT_NEAR(found[i], expected.data_ptr<double>()[i], 1e-5 * largest) << each.name;
    }
  }
}

// Against LibTorch in double, where batch norms that are frozen use their running statistics.
TEST(Freeze, FrozenNormsUseTheirRunningStatistics) {
  for (const Patterns& freeze :
       {Patterns{"1.*"}, Patterns{"3.*"}, Patterns{"1.*", "3.*", "9.*"},
        Patterns{"*", "!0.*", "!10.*"}, Patterns{"0.*", "1.*", "2.*", "3.*"},
        Patterns{"*", "!10.*"}, Patterns{"*", "!9.*"}}) {
    expect_as_reference(model(), freeze);
  }
  for (const Patterns& freeze :
       {Patterns{"*", "!4.*"}, Patterns{"0.*", "1.*"}, Patterns{"1.residual.1.*", "2.residual.4.*"},
        Patterns{"0.*", "1.residual.shortcut.*"}, Patterns{"*", "!1.residual.shortcut.0.*"}}) {
    expect_as_reference(residual_model(), freeze);
  }
}

TEST(Freeze, StatisticsOfFrozenNormsStay) {
  const Network frozen = network({"1.*"});
  std::vector<float> values = values_of(frozen);
  const std::vector<float> before = values;
  const Trained trained = train(frozen, Precision::kFp32);
  frozen.update_statistics(values, trained.statistics, 13, 1);
  for (const Parameter& each : frozen.parameters()) {
    const auto first = static_cast<std::size_t>(each.range.first);
    const bool moves = is_statistic(each.role) && !each.name.starts_with("1.");
    EXPECT_EQ(values[first] != before[first], moves) << each.name;
  }
}

}  // namespace
}  // namespace lockstep
