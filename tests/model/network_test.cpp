#include "lockstep/model/network.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lockstep/core/error.h"
#include "model/digits.h"

namespace lockstep {
namespace {

const ImageShape kDigits{28, 28, 1};

std::string refusal(const std::vector<LayerOptions>& layers, const ImageShape& input = {6, 6, 1},
                    int classes = 3) {
  try {
    const Network network({layers}, input, classes);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage) << error.what();
    return error.what();
  }
  return {};
}

TEST(Network, ParameterCountsOfTheDigitsNetwork) {
  const Network network(samples::digits_model(true), kDigits, 10);
  EXPECT_EQ(network.parameter_count(), 538'346);
  EXPECT_EQ(network.trainable_parameter_count(), 536'874);
  ASSERT_EQ(network.layers().size(), 20U);
  EXPECT_EQ(network.layers()[0].title, "conv 32 3x3 relu");
  EXPECT_EQ(network.layers()[0].output, (ImageShape{26, 26, 32}));
  EXPECT_EQ(network.layers()[0].parameters, 320);
  EXPECT_EQ(network.layers()[1].parameters, 128);
  EXPECT_EQ(network.layers()[1].trainable_parameters, 64);
  EXPECT_EQ(network.layers()[3].output, (ImageShape{12, 12, 32}));
  EXPECT_EQ(network.layers()[12].output, (ImageShape{2, 2, 128}));
  EXPECT_EQ(network.layers()[13].output, (ImageShape{1, 1, 512}));
}

TEST(Network, FlatWeightsAreAlignedInOrderAndCoverAllParameters) {
  const Network network(samples::digits_model(true), kDigits, 10);
  std::int64_t next = 0;
  std::int64_t count = 0;
  bool statistics = false;
  for (const Parameter& parameter : network.parameters()) {
    EXPECT_EQ(parameter.range.first % 16, 0) << parameter.name;
    EXPECT_EQ(parameter.range.first, (next + 15) / 16 * 16) << parameter.name;
    std::int64_t size = 1;
    for (const std::int64_t extent : parameter.shape) size *= extent;
    EXPECT_EQ(parameter.range.size(), size);
    const bool running = parameter.name.find(".running_") != std::string::npos;
    if (running && !statistics) {
      EXPECT_EQ(parameter.range.first, network.trainable_size());
    }
    EXPECT_TRUE(running || !statistics) << "trainable parameters come first";
    statistics = running;
    next = parameter.range.last;
    count += size;
  }
  EXPECT_EQ(network.total_size(), (next + 15) / 16 * 16);
  EXPECT_EQ(count, network.parameter_count());
  EXPECT_EQ(network.parameters()[0].name, "0.conv.weight");
  EXPECT_EQ(network.parameters()[0].shape, (std::vector<std::int64_t>{32, 3, 3, 1}));
}

TEST(Network, OutputShapesOfPaddingAndStride) {
  const Network network(
      {{ConvOptions{.filters = 2, .kernel = 5, .stride = 2, .padding = Padding::kSame},
        ConvOptions{.filters = 3, .kernel = 2, .stride = 2}, MaxPoolOptions{.size = 3, .stride = 1},
        FlattenOptions{}, DenseOptions{.units = 4}}},
      {13, 13, 3}, 4);
  EXPECT_EQ(network.layers()[0].output, (ImageShape{7, 7, 2}));
  EXPECT_EQ(network.layers()[1].output, (ImageShape{3, 3, 3}));
  EXPECT_EQ(network.layers()[2].output, (ImageShape{1, 1, 3}));
}

TEST(Network, OutputShapesOfPools) {
  const Network network({{AvgPoolOptions{.size = 3, .stride = 2}, MaxPoolOptions{.size = 2},
                          ConvOptions{.filters = 5, .kernel = 2}, AvgPoolOptions{.global = true},
                          DenseOptions{.units = 4}}},
                        {21, 33, 2}, 4);
  EXPECT_EQ(network.layers()[0].output, (ImageShape{10, 16, 2}));
  EXPECT_EQ(network.layers()[1].output, (ImageShape{5, 8, 2}));
  EXPECT_EQ(network.layers()[3].output, (ImageShape{1, 1, 5}));
  EXPECT_EQ(network.layers()[0].title, "average pool 3x3");
  EXPECT_EQ(network.layers()[3].title, "global average pool");
}

TEST(Network, ShapeErrorsNameTheLayer) {
  const ConvOptions conv{.filters = 2};
  const DenseOptions last{.units = 3};
  EXPECT_EQ(refusal({conv, ConvOptions{.filters = 2, .kernel = 5}, FlattenOptions{}, last}),
            "model.layer[1] (conv): a 5x5 kernel with valid padding does not fit into its input of "
            "4x4x2");
  EXPECT_EQ(refusal({conv, conv, MaxPoolOptions{.size = 3}, FlattenOptions{}, last}),
            "model.layer[2] (max_pool): a 3x3 window does not fit into its input of 2x2x2");
  EXPECT_EQ(refusal({AvgPoolOptions{.size = 7}, FlattenOptions{}, last}),
            "model.layer[0] (avg_pool): a 7x7 window does not fit into its input of 6x6x1");
  EXPECT_NE(refusal({FlattenOptions{}, AvgPoolOptions{.global = true}, last})
                .find("model.layer[1] (avg_pool): "),
            std::string::npos);
  EXPECT_EQ(refusal({AvgPoolOptions{.size = 3, .global = true}, last}),
            "model.layer[0] (avg_pool): its window is the whole image; leave out size, stride and "
            "padding_pixels, or global");
  EXPECT_NE(refusal({conv, last}).find("model.layer[1] (dense): its input is 4x4x2"),
            std::string::npos);
  EXPECT_NE(refusal({FlattenOptions{}, conv, last}).find("model.layer[1] (conv): "),
            std::string::npos);
  EXPECT_NE(refusal({FlattenOptions{}, last, MaxPoolOptions{}}).find("model.layer[2] (max_pool): "),
            std::string::npos);
}

TEST(Network, ShapeErrorsNameTheLayerInItsBlocks) {
  const ConvOptions conv{.filters = 2};
  const ConvOptions same{.filters = 2, .padding = Padding::kSame};
  const DenseOptions last{.units = 3};
  EXPECT_EQ(refusal({ResidualOptions{.layers = {conv}, .shortcut = {}}}),
            "model.layer[0] (residual): its layers give 4x4x2, its shortcut 6x6x1; expected the "
            "same");
  EXPECT_EQ(refusal({same, ResidualOptions{.layers = {same, ConvOptions{.filters = 2, .kernel = 9}},
                                           .shortcut = {{conv}}}}),
            "model.layer[1].residual.layer[1] (conv): a 9x9 kernel with valid padding does not fit "
            "into its input of 6x6x2");
  EXPECT_EQ(refusal({BranchesOptions{{{{same}}, {{conv, MaxPoolOptions{.size = 5}}}}}}),
            "model.layer[0].branches.branch[1].layer[1] (max_pool): a 5x5 window does not fit into "
            "its input of 4x4x2");
  EXPECT_EQ(refusal({BranchesOptions{{{{same}}, {{conv}}}}}),
            "model.layer[0] (branches): its branches give 6x6x2 and 4x4x2; expected the same "
            "height and width");
  EXPECT_EQ(refusal({RepeatOptions{.times = 3, .layers = {GateOptions{{conv}}}}}),
            "model.layer[0].repeat.layer[0] (gate): its layers give 4x4x2; expected 1x1x1, or "
            "6x6x1 for its input");
  EXPECT_EQ(refusal({FlattenOptions{}, GateOptions{{last}}}),
            "model.layer[1] (gate): its layers give 1x1x3; expected 1x1x36 for its input");
  EXPECT_EQ(
      refusal({RepeatOptions{
          .times = 1000, .layers = {RepeatOptions{.times = 1000, .layers = {FlattenOptions{}}}}}}),
      "model.layer[0].repeat.layer[0].repeat.layer[0] (flatten): is one of more than 10000 "
      "layers");
  for (const LayerOptions& empty :
       {LayerOptions{ResidualOptions{}}, {GateOptions{}}, {RepeatOptions{}}}) {
    EXPECT_NE(refusal({empty}).find("has no layer; expected one or more"), std::string::npos);
  }
  EXPECT_EQ(refusal({BranchesOptions{}}),
            "model.layer[0] (branches): has no branch; expected one or more");
}

TEST(Network, BlocksNameTheirParametersAndLayers) {
  const DenseOptions dense{.units = 3, .bias = false};
  const ModelOptions model{
      {FlattenOptions{},
       ResidualOptions{
           .layers = {dense, dense}, .shortcut = {{dense}}, .activation = ActivationKind::kRelu},
       BranchesOptions{{{{}}, {{dense}}}}, GateOptions{{DenseOptions{.units = 6, .bias = false}}},
       RepeatOptions{.times = 2, .layers = {dense}}}};
  const Network network(model, {2, 2, 1}, 3);
  std::vector<std::string> names;
  for (const Parameter& parameter : network.parameters()) names.push_back(parameter.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"1.residual.0.dense.weight", "1.residual.1.dense.weight",
                                      "1.residual.shortcut.0.dense.weight",
                                      "2.branches.1.0.dense.weight", "3.gate.0.dense.weight",
                                      "4.repeat.0.0.dense.weight", "4.repeat.1.0.dense.weight"}));
  std::vector<std::pair<std::string, int>> layers;
  for (const LayerInfo& layer : network.layers()) layers.emplace_back(layer.title, layer.depth);
  EXPECT_EQ(layers, (std::vector<std::pair<std::string, int>>{{"flatten", 0},
                                                              {"residual relu", 0},
                                                              {"dense 3", 1},
                                                              {"dense 3", 1},
                                                              {"dense 3", 1},
                                                              {"branches", 0},
                                                              {"dense 3", 1},
                                                              {"gate", 0},
                                                              {"dense 6", 1},
                                                              {"repeat 2 times", 0},
                                                              {"dense 3", 1},
                                                              {"dense 3", 1}}));
  EXPECT_EQ(network.layers()[5].output, (ImageShape{1, 1, 6}));
  std::vector<std::string> parts;
  for (const LayerInfo& layer : network.layers()) parts.push_back(layer.part);
  EXPECT_EQ(parts, (std::vector<std::string>{"", "", "", "", "shortcut", "", "branch 1", "", "", "",
                                             "", ""}));
}

TEST(Network, LastLayerMustGiveTheLogits) {
  EXPECT_EQ(refusal({FlattenOptions{}, DenseOptions{.units = 4}}),
            "model.layer[1] (dense): the last layer gives 1x1x4, but data.classes asks for 1x1x3 "
            "logits");
  const std::string not_logits =
      "the last layer must be a dense layer without activation (its outputs are the logits)";
  const DenseOptions relu{.units = 3, .activation = ActivationKind::kRelu};
  EXPECT_EQ(refusal({FlattenOptions{}, relu}), "model.layer[1] (dense): " + not_logits);
  const ResidualOptions residual{.layers = {DenseOptions{.units = 3}}, .shortcut = {}};
  EXPECT_EQ(refusal({FlattenOptions{}, DenseOptions{.units = 3}, residual}),
            "model.layer[2] (residual): " + not_logits);
  EXPECT_EQ(refusal({RepeatOptions{.times = 2, .layers = {FlattenOptions{}, relu}}}),
            "model.layer[0].repeat.layer[1] (dense): " + not_logits);
  EXPECT_EQ(refusal({FlattenOptions{}, DenseOptions{.units = 3}, DropoutOptions{}}),
            "model.layer[2] (dropout): " + not_logits);
  EXPECT_EQ(refusal({FlattenOptions{}, DenseOptions{.units = 3}, BatchNormOptions{}}),
            "model.layer[2] (batch_norm): " + not_logits);
}

TEST(Network, LogitsAreADenseLayerOfAllClasses) {
  const LogitsOptions logits{.initializer = Initializer::kHeNormal, .bias = false};
  const ConvOptions conv{.filters = 2};
  const Network network({{conv, FlattenOptions{}, logits}}, {6, 6, 1}, 3);
  const DenseOptions dense{.units = 3, .initializer = Initializer::kHeNormal, .bias = false};
  const Network other({{conv, FlattenOptions{}, dense}}, {6, 6, 1}, 3);
  EXPECT_EQ(network.initial_weights(5), other.initial_weights(5));
  EXPECT_EQ(network.parameters().back().name, "2.logits.weight");
  EXPECT_EQ(network.parameters().back().shape, (std::vector<std::int64_t>{3, 4 * 4 * 2}));
  EXPECT_EQ(network.layers().back().title, "logits 3");
  EXPECT_EQ(refusal({FlattenOptions{}, LogitsOptions{}, DenseOptions{.units = 3}}),
            "model.layer[1] (logits): must be the last layer");
  EXPECT_EQ(refusal({FlattenOptions{}, LogitsOptions{}, LogitsOptions{}}),
            "model.layer[1] (logits): must be the last layer");
}

// Pixels that happen to be as many as the classes are no logits either.
TEST(Network, ListsWithoutWorkAreRefused) {
  const std::string not_logits =
      ": the last layer must be a dense layer without activation (its outputs are the logits)";
  EXPECT_EQ(refusal({FlattenOptions{}}, {3, 1, 1}), "model.layer[0] (flatten)" + not_logits);
  EXPECT_EQ(refusal({}, {1, 1, 3}), "model" + not_logits);
}

// Mean and mean square of a parameter's initial values.
struct Moments {
  double mean = 0;
  double square = 0;
  double largest = 0;
};

Moments moments_of(const Network& network, const std::string& name, std::uint64_t seed) {
  const std::vector<float> weights = network.initial_weights(seed);
  for (const Parameter& parameter : network.parameters()) {
    if (parameter.name != name) continue;
    Moments moments;
    for (std::int64_t i = parameter.range.first; i < parameter.range.last; ++i) {
      const double value = weights[static_cast<std::size_t>(i)];
      const auto size = static_cast<double>(parameter.range.size());
      moments.mean += value / size;
      moments.square += value * value / size;
      moments.largest = std::max(moments.largest, std::abs(value));
    }
    return moments;
  }
  ADD_FAILURE() << "no parameter " << name;
  return {};
}

// Tolerances: five deviations of the estimates from that many draws.
TEST(InitialWeights, HaveTheVarianceOfTheirFormula) {
  using enum Initializer;
  for (const Initializer initializer : {kGlorotUniform, kGlorotNormal, kHeUniform, kHeNormal}) {
    const Network network(
        {{ConvOptions{
              .filters = 64, .kernel = 5, .padding = Padding::kSame, .initializer = initializer},
          FlattenOptions{}, DenseOptions{.units = 200, .initializer = initializer},
          DenseOptions{.units = 3, .initializer = initializer}}},
        {4, 4, 32}, 3);
    struct Fans {
      const char* name;
      double in, out;
    };
    for (const Fans& fans :
         {Fans{"0.conv.weight", 32 * 25, 64 * 25}, Fans{"2.dense.weight", 1024, 200}}) {
      const bool glorot = initializer == kGlorotUniform || initializer == kGlorotNormal;
      const bool uniform = initializer == kGlorotUniform || initializer == kHeUniform;
      const double variance = glorot ? 2 / (fans.in + fans.out) : 2 / fans.in;
      const Moments moments = moments_of(network, fans.name, 7);
      const double count = fans.name[0] == '0' ? 64 * 25 * 32 : 1024 * 200;
      EXPECT_NEAR(moments.mean, 0, 5 * std::sqrt(variance / count));
      const double kurtosis = uniform ? 1.8 : 3;
      EXPECT_NEAR(moments.square / variance, 1, 5 * std::sqrt((kurtosis - 1) / count));
      const double bound = std::sqrt(3 * variance);
      if (uniform) {
        EXPECT_LE(moments.largest, bound * (1 + 1e-6));
        EXPECT_GT(moments.largest, bound * 0.99);
      } else {
        EXPECT_GT(moments.largest, bound * 1.5);  // a normal one has tails
      }
    }
  }
}

TEST(InitialWeights, AreAFunctionOfTheSeed) {
  const Network network(samples::digits_model(true), kDigits, 10);
  EXPECT_EQ(network.initial_weights(3), network.initial_weights(3));
  EXPECT_NE(network.initial_weights(3), network.initial_weights(4));
  const Network again(samples::digits_model(true), kDigits, 10);
  EXPECT_EQ(again.initial_weights(3), network.initial_weights(3));
}

TEST(InitialWeights, OthersAreZeroOrOneAndGapsAreZero) {
  const Network network(samples::digits_model(true), kDigits, 10);
  std::vector<float> weights = network.initial_weights(3);
  for (const Parameter& parameter : network.parameters()) {
    const bool random = parameter.name.ends_with(".weight");
    const bool one =
        parameter.name.ends_with(".scale") || parameter.name.ends_with(".running_variance");
    for (std::int64_t i = parameter.range.first; i < parameter.range.last; ++i) {
      float& value = weights[static_cast<std::size_t>(i)];
      if (!random) {
        ASSERT_EQ(value, one ? 1.0F : 0.0F) << parameter.name;
      }
      value = 0;
    }
  }
  for (const float gap : weights) ASSERT_EQ(gap, 0.0F);
}

// r = m r + (1 - m) s with m = min(momentum, 1 - 1 / update): the plain mean of the
// first updates, a decaying one later.
TEST(UpdateStatistics, IsTheDocumentedMean) {
  const Network network(
      {{FlattenOptions{}, BatchNormOptions{.momentum = 0.75F}, DenseOptions{.units = 3}}},
      {1, 5, 1}, 3);
  std::vector<float> weights = network.initial_weights(1);
  const std::vector<float> before = weights;
  double mean = 0;
  double variance = 1;
  for (int update = 1; update <= 10; ++update) {
    const float samples = 90.0F + static_cast<float>(update);
    std::vector<float> sums(static_cast<std::size_t>(network.statistics_size()), 0.0F);
    const double batch_mean = std::sin(update);
    const double batch_variance = 2 + std::cos(update);
    for (std::size_t c = 0; c < 5; ++c) {
      sums[c] = static_cast<float>(batch_mean * (1.0 + static_cast<double>(c))) * samples;
      sums[16 + c] = static_cast<float>(batch_variance) * samples;
    }
    network.update_statistics(weights, sums, samples, update);
    const double momentum = std::min(0.75, 1 - 1.0 / update);
    mean = momentum * mean + (1 - momentum) * batch_mean;
    variance = momentum * variance + (1 - momentum) * batch_variance;
    const auto base = static_cast<std::size_t>(network.trainable_size());
    for (std::size_t c = 0; c < 5; ++c) {
      EXPECT_NEAR(weights[base + c], mean * (1.0 + static_cast<double>(c)), 1e-5);
      EXPECT_NEAR(weights[base + 16 + c], variance, 1e-5);
    }
  }
  for (std::int64_t i = 0; i < network.trainable_size(); ++i) {
    ASSERT_EQ(weights[static_cast<std::size_t>(i)], before[static_cast<std::size_t>(i)]);
  }
}

// r = m r + (1 - m) s from the first update on, where a file gave r.
TEST(UpdateStatistics, OfAFileMoveByTheirMomentumAlone) {
  const Network network(
      {{FlattenOptions{}, BatchNormOptions{.momentum = 0.75F}, DenseOptions{.units = 3}}},
      {1, 1, 1}, 3);
  std::vector<float> weights = network.initial_weights(1);
  const auto mean = static_cast<std::size_t>(network.trainable_size());
  const std::size_t variance = mean + 16;
  weights[mean] = 8;
  weights[variance] = 16;
  std::vector<float> sums(static_cast<std::size_t>(network.statistics_size()), 0.0F);
  sums[0] = 4 * 10;
  sums[16] = 4 * 10;
  for (int update = 1; update <= 2; ++update) {
    network.update_statistics(weights, sums, 10, update, {"1.batch_norm.running_mean"});
  }
  EXPECT_FLOAT_EQ(weights[mean], 4 + 0.75F * 0.75F * (8 - 4));
  EXPECT_FLOAT_EQ(weights[variance], 4);
}

}  // namespace
}  // namespace lockstep
