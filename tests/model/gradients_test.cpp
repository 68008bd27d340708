// Loss, gradients, statistics and logits of the executor against LibTorch in double.

#include "model/gradients.h"

#include <cmath>

#include "model/digits.h"

namespace lockstep::gradients {
namespace {

const ConvOptions kConv{.filters = 7, .activation = ActivationKind::kTanh};
const DropoutOptions kDrop{.rate = 0.3F};

TEST(Gradients, ConvolutionsOfAnyPaddingStrideAndKernel) {
  for (const Padding padding : {Padding::kValid, Padding::kSame}) {
    for (const int kernel : {1, 2, 3, 4}) {
      for (const int stride : {1, 2, 3}) {
        SCOPED_TRACE(fmt::format("{} kernel {} stride {}",
                                 padding == Padding::kSame ? "same" : "valid", kernel, stride));
        ConvOptions conv{.filters = 5, .kernel = kernel, .stride = stride, .padding = padding};
        conv.bias = kernel != 2;
        expect_case({.layers = {ConvOptions{.filters = 3, .kernel = 1}, conv}, .input = {9, 9, 2}});
      }
    }
  }
  expect_case({.layers = {ConvOptions{.filters = 5, .kernel = 4, .padding = Padding::kSame}},
               .input = {9, 6, 1}});
}

TEST(Gradients, DenseWithAndWithoutBias) {
  expect_case({.layers = {FlattenOptions{}, DenseOptions{.units = 33, .bias = false},
                          DenseOptions{.units = 17}}});
}

TEST(Gradients, EveryActivation) {
  using enum ActivationKind;
  for (const ActivationKind kind : {kNone, ActivationKind::kRelu, kLeakyRelu, kGelu, kSilu, kTanh,
                                    kSigmoid, kHardSwish, kRelu6}) {
    SCOPED_TRACE(static_cast<int>(kind));
    expect_case({.layers = {ConvOptions{.filters = 5, .activation = kind}, ActivationOptions{kind},
                            FlattenOptions{}, DenseOptions{.units = 19, .activation = kind}},
                 .label_smoothing = 0.1F});
  }
}

TEST(Gradients, NormWithAllEightChoices) {
  for (int choice = 0; choice < 8; ++choice) {
    SCOPED_TRACE(choice);
    Case each{.layers = {ConvOptions{.filters = 7}}};
    if ((choice & 1) != 0) each.layers.push_back(ActivationOptions{kRelu});
    each.layers.push_back(BatchNormOptions{});
    if ((choice & 2) != 0) each.layers.push_back(ActivationOptions{kRelu});
    if ((choice & 4) != 0) each.layers.push_back(kDrop);
    expect_case(each);
  }
}

TEST(Gradients, NormOfDenseLayersAndOfImages) {
  expect_case({.layers = {BatchNormOptions{}, FlattenOptions{},
                          DenseOptions{.units = 19, .activation = kRelu},
                          BatchNormOptions{.epsilon = 0.1F}, kDrop}});
  expect_case({.layers = {kConv, BatchNormOptions{}, BatchNormOptions{}}, .fp32_tolerance = 3e-5});
}

TEST(Gradients, GatesOfAnyWindow) {
  for (const auto& [size, stride] :
       {std::pair{2, 0}, {3, 0}, {3, 2}, {2, 1}, {2, 3}, {1, 2}, {1, 0}}) {
    for (int choice = 0; choice < 4; ++choice) {
      SCOPED_TRACE(fmt::format("size {} stride {} choice {}", size, stride, choice));
      Case each{.layers = {ConvOptions{.filters = 7}}, .bf16_tolerance = kChoosyBf16};
      if ((choice & 1) != 0) each.layers.push_back(ActivationOptions{kRelu});
      each.layers.push_back(MaxPoolOptions{.size = size, .stride = stride});
      if ((choice & 2) != 0) each.layers.push_back(kDrop);
      expect_case(each);
    }
  }
}

TEST(Gradients, PoolsOfAnyWindow) {
  const ConvOptions conv{.filters = 7};
  for (const auto& [size, stride] : {std::pair{2, 0}, {3, 0}, {3, 2}, {2, 1}, {2, 3}, {1, 0}}) {
    SCOPED_TRACE(fmt::format("size {} stride {}", size, stride));
    expect_case({.layers = {conv, AvgPoolOptions{.size = size, .stride = stride}, kDrop}});
  }
  expect_case({.layers = {conv, AvgPoolOptions{.global = true}}});
  expect_case({.layers = {conv, ActivationOptions{kRelu}, AvgPoolOptions{}, conv},
               .bf16_tolerance = kChoosyBf16});
  expect_case({.layers = {conv, MaxPoolOptions{.global = true}}, .bf16_tolerance = kChoosyBf16});
  expect_case({.layers = {AvgPoolOptions{.global = true}}, .input = {17, 23, 3}});
  expect_case({.layers = {MaxPoolOptions{.size = 16, .stride = 3}}, .input = {22, 19, 3}});
  expect_case({.layers = {MaxPoolOptions{.global = true}}, .input = {17, 23, 3}});
}

// Orders of layers that may not be joined into one op.
TEST(Gradients, LayersInUnusualOrders) {
  const MaxPoolOptions pool{};
  const BatchNormOptions norm{};
  const ActivationOptions relu{kRelu};
  const std::vector<std::vector<LayerOptions>> orders = {
      {kConv, relu, MaxPoolOptions{.size = 1, .stride = 2}, norm},
      {kConv, pool, relu, norm},
      {kConv, kDrop, relu, norm, kDrop, relu},
      {kConv, kDrop, kDrop},
      {kConv, norm, kDrop, kDrop},
      {kConv, relu, kDrop, pool},
      {kConv, pool, MaxPoolOptions{.size = 2, .stride = 1}},
      {kConv, norm, relu, relu, pool, kDrop},
      {kConv, relu, relu, norm},
      {kConv, relu, FlattenOptions{}, norm, kDrop},
      {kConv, norm, FlattenOptions{}, relu, kDrop},
      {relu, pool, kConv},
      {kDrop, kConv, kDrop},
      {kConv, norm, ActivationOptions{ActivationKind::kSilu}, kDrop},
      {DropoutOptions{.rate = 0.001F}, kConv}};
  for (std::size_t i = 0; i < orders.size(); ++i) {
    SCOPED_TRACE(i);
    expect_case({.layers = orders[i], .bf16_tolerance = kChoosyBf16});
  }
}

TEST(Gradients, BatchOfOne) {
  expect_case({.layers = {kConv, BatchNormOptions{}, MaxPoolOptions{}, kDrop}, .batch = 1});
}

// The whole reference network at once.
TEST(Gradients, OfTheDigitsNetwork) {
  prepare_worker_thread();
  const ImageShape shape{28, 28, 1};
  for (const bool dropout : {false, true}) {
    SCOPED_TRACE(dropout);
    const ModelOptions model = samples::digits_model(dropout);
    const Network network(model, shape, 10);
    const Batch batch = batch_of(shape, 31, 10);
    const Case each{.layers = {}, .fp32_tolerance = 2e-5};
    expect_as_reference(model, network, each, batch, Precision::kFp32);
    expect_inference(model, network, batch, Precision::kFp32, 1e-5);
    expect_inference(model, network, batch, Precision::kBf16, 3e-2);
  }
}

// The executor's own loss by central differences, so the reference itself is checked.
TEST(Gradients, AreTheSlopesOfTheLoss) {
  prepare_worker_thread();
  const ModelOptions model =
      model_of({.layers = {ConvOptions{.filters = 4, .activation = ActivationKind::kSilu},
                           BatchNormOptions{}, kDrop, FlattenOptions{},
                           DenseOptions{.units = 9, .activation = ActivationKind::kTanh}}});
  const Network network(model, {6, 5, 1}, kClasses);
  const Batch batch = batch_of({6, 5, 1}, 11, kClasses);
  const LaneContext context{1, 2, 0.1F};
  const std::vector<float> values = weights_of(network);
  const Trained trained = train(network, values, Precision::kFp32, batch, context);
  constexpr float kStep = 1e-2F;
  for (const Parameter& parameter : network.parameters()) {
    if (parameter.range.first >= network.trainable_size()) continue;
    for (std::int64_t i = parameter.range.first; i < parameter.range.last; i += 3) {
      const auto at = static_cast<std::size_t>(i);
      const auto loss_at = [&](float shift) {
        std::vector<float> moved = values;
        moved[at] += shift;
        return static_cast<double>(
            train(network, moved, Precision::kFp32, batch, context).result.loss_sum);
      };
      const double slope = (loss_at(kStep) - loss_at(-kStep)) / (2.0 * kStep);
      EXPECT_NEAR(trained.gradients[at], slope, 5e-3 * (1 + std::abs(slope)))
          << parameter.name << " " << i;
    }
  }
}

}  // namespace
}  // namespace lockstep::gradients
