// Loss, gradients, statistics and logits of the executor against LibTorch in double.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "model/digits.h"
#include "model/torch_reference.h"

namespace lockstep {
namespace {

using samples::Phase;
using samples::TorchReference;
constexpr ActivationKind kRelu = ActivationKind::kRelu;

struct Case {
  std::vector<LayerOptions> layers;  // the last one, a dense layer for the logits, is added
  ImageShape input{9, 8, 2};
  int batch = 13;
  float label_smoothing = 0;
  double fp32_tolerance = 1e-5;  // of the largest gradient of a parameter
  double bf16_tolerance = 3e-2;  // of the norm of a parameter's gradient
};

// Where a window has near winners, or a relu an input near 0, rounding to bf16 changes
// whose gradient it is. The kernels alone are held to the last bit elsewhere.
constexpr double kChoosyBf16 = 0.15;

constexpr int kClasses = 6;

ModelOptions model_of(const Case& each) {
  ModelOptions model{each.layers};
  model.layers.push_back(FlattenOptions{});
  model.layers.push_back(DenseOptions{.units = kClasses});
  return model;
}

Batch batch_of(const ImageShape& shape, int size, int classes) {
  Batch batch;
  batch.size = size;
  for (int n = 0; n < size; ++n) {
    batch.rows.push_back(static_cast<std::uint64_t>(n) * 1'000'000'007U);
    batch.labels.push_back((n * n + 2) % classes);
    for (int i = 0; i < shape.pixels(); ++i) {
      batch.images.push_back(static_cast<float>(std::sin(0.9 * i * (n + 1) + 0.37 * n)));
    }
  }
  return batch;
}

// Every parameter away from its initial value, so that biases and scales count.
std::vector<float> weights_of(const Network& network) {
  std::vector<float> values = network.initial_weights(9);
  for (const Parameter& parameter : network.parameters()) {
    if (parameter.name.ends_with(".weight")) continue;
    for (std::int64_t i = parameter.range.first; i < parameter.range.last; ++i) {
      values[static_cast<std::size_t>(i)] +=
          0.3F * std::sin(1.7F * static_cast<float>(i % 101) + 1);
    }
  }
  return values;
}

struct Errors {
  double largest = 0;   // of the differences
  double norm = 0;      // of the differences
  double expected = 0;  // largest expected value
  double expected_norm = 0;
};

Errors compare(std::span<const float> values, const at::Tensor& expected) {
  const at::Tensor flat = expected.contiguous().to(at::kDouble);
  const double* reference = flat.data_ptr<double>();
  Errors errors;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double error = std::abs(values[i] - reference[i]);
    errors.largest = std::max(errors.largest, error);
    errors.norm += error * error;
    errors.expected = std::max(errors.expected, std::abs(reference[i]));
    errors.expected_norm += reference[i] * reference[i];
  }
  errors.norm = std::sqrt(errors.norm);
  errors.expected_norm = std::sqrt(errors.expected_norm);
  return errors;
}

// What one executor's pass gave, against the reference.
struct Trained {
  std::vector<float> gradients;
  std::vector<float> statistics;
  LaneResult result;
};

Trained train(const Network& network, const std::vector<float>& values, Precision precision,
              const Batch& batch, const LaneContext& context) {
  Trained trained;
  trained.gradients.resize(static_cast<std::size_t>(network.trainable_size()));
  trained.statistics.resize(static_cast<std::size_t>(network.statistics_size()));
  LaneExecutor executor(network, precision);
  trained.result = executor.train(Weights(values, precision), batch, context, trained.gradients,
                                  trained.statistics);
  return trained;
}

std::span<const float> part(const std::vector<float>& flat, Range range, std::int64_t base = 0) {
  return std::span(flat).subspan(static_cast<std::size_t>(range.first - base),
                                 static_cast<std::size_t>(range.size()));
}

void expect_as_reference(const ModelOptions& model, const Network& network, const Case& each,
                         const Batch& batch, Precision precision) {
  const LaneContext context{77, 3, each.label_smoothing};
  const std::vector<float> values = weights_of(network);
  const Trained trained = train(network, values, precision, batch, context);
  TorchReference reference(model, network, values);
  const double loss = reference.train(batch, context);
  const bool fp32 = precision == Precision::kFp32;
  EXPECT_NEAR(trained.result.loss_sum, loss, (fp32 ? 1e-5 : each.bf16_tolerance) * loss);
  // A parameter's own size is no measure where its gradient cancels, as that of a bias
  // before a norm.
  double largest = 0;
  double norm = 0;
  for (const Parameter& parameter : network.parameters()) {
    if (parameter.range.first >= network.trainable_size()) break;
    const Errors errors =
        compare(part(trained.gradients, parameter.range), reference.gradient(parameter.name));
    largest = std::max(largest, errors.expected);
    norm = std::max(norm, errors.expected_norm);
  }
  for (const Parameter& parameter : network.parameters()) {
    SCOPED_TRACE(parameter.name);
    const bool running = parameter.range.first >= network.trainable_size();
    // Statistics are the lane's times its samples.
    const Errors errors =
        running
            ? compare(part(trained.statistics, parameter.range, network.trainable_size()),
                      reference.parameter(parameter.name).mul(batch.size))
            : compare(part(trained.gradients, parameter.range), reference.gradient(parameter.name));
    if (fp32) {
      EXPECT_LE(errors.largest, each.fp32_tolerance * std::max(errors.expected, 0.1 * largest));
    } else {
      EXPECT_LE(errors.norm, each.bf16_tolerance * std::max(errors.expected_norm, 0.3 * norm));
    }
  }
}

void expect_inference(const ModelOptions& model, const Network& network, const Batch& batch,
                      Precision precision, double tolerance) {
  const std::vector<float> values = weights_of(network);
  std::vector<float> logits(static_cast<std::size_t>(batch.size * network.classes()));
  LaneExecutor executor(network, precision);
  executor.infer(Weights(values, precision), batch, logits);
  TorchReference reference(model, network, values);
  const Errors errors = compare(logits, reference.logits(batch, {}, Phase::kInfer).detach());
  EXPECT_LE(errors.norm, tolerance * errors.expected_norm);
}

void expect_case(const Case& each) {
  prepare_worker_thread();
  const ModelOptions model = model_of(each);
  const Network network(model, each.input, kClasses);
  const Batch batch = batch_of(each.input, each.batch, kClasses);
  for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
    const bool fp32 = precision == Precision::kFp32;
    SCOPED_TRACE(fp32 ? "fp32" : "bf16");
    expect_as_reference(model, network, each, batch, precision);
    expect_inference(model, network, batch, precision,
                     fp32 ? each.fp32_tolerance : each.bf16_tolerance);
  }
}

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
  for (const ActivationKind kind :
       {kNone, ActivationKind::kRelu, kLeakyRelu, kGelu, kSilu, kTanh, kSigmoid}) {
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

const BatchNormOptions kNorm{.momentum = 0.9F};
const ConvOptions kSame{.filters = 7, .padding = Padding::kSame};

TEST(Gradients, Residuals) {
  const ConvOptions half{.filters = 5, .kernel = 1, .stride = 2};
  const ConvOptions to_half{.filters = 5, .stride = 2, .padding = Padding::kSame};
  for (const ActivationKind kind :
       {ActivationKind::kNone, kRelu, ActivationKind::kSilu, ActivationKind::kTanh}) {
    SCOPED_TRACE(static_cast<int>(kind));
    expect_case({.layers = {kSame, kNorm, ActivationOptions{kRelu},
                            ResidualOptions{
                                .layers = {kSame, kNorm, ActivationOptions{kRelu}, kSame, kNorm},
                                .activation = kind},
                            ResidualOptions{.layers = {to_half, kNorm},
                                            .shortcut = {{half, kNorm}},
                                            .activation = kind}},
                 .input = {8, 8, 2},
                 .bf16_tolerance = kChoosyBf16});
  }
}

// What one value is used for several times may not be joined into one op.
TEST(Gradients, BlocksInUnusualOrders) {
  const ActivationOptions relu{kRelu};
  const std::vector<std::vector<LayerOptions>> orders = {
      {kSame, ResidualOptions{.layers = {relu}, .activation = kRelu}, relu},
      {kSame, ResidualOptions{.layers = {kNorm, relu}}, kNorm, relu},
      {kSame, relu, ResidualOptions{.layers = {kNorm}}},
      {kSame, kNorm, ResidualOptions{.layers = {relu, kSame}, .shortcut = {{relu}}}},
      {kSame, relu, GateOptions{{kNorm}}, MaxPoolOptions{}},
      {kSame, ResidualOptions{.layers = {ResidualOptions{.layers = {kSame}, .activation = kRelu}},
                              .activation = kRelu}},
      {ResidualOptions{.layers = {ActivationOptions{ActivationKind::kTanh}}}, kSame},
      {FlattenOptions{}, DenseOptions{.units = 9},
       ResidualOptions{.layers = {DenseOptions{.units = 9}}, .activation = kRelu}},
      {kSame, AvgPoolOptions{.global = true},
       ResidualOptions{.layers = {DenseOptions{.units = 7}}}},
      {kSame, BranchesOptions{{{{}}, {{}}}}, kNorm},
      {kSame, BranchesOptions{{{{relu}}, {{MaxPoolOptions{.size = 1}}}, {{kDrop}}}}},
      {kSame, AvgPoolOptions{.global = true},
       BranchesOptions{{{{DenseOptions{.units = 4}}}, {{}}}}},
  };
  for (std::size_t i = 0; i < orders.size(); ++i) {
    SCOPED_TRACE(i);
    expect_case({.layers = orders[i], .bf16_tolerance = kChoosyBf16});
  }
}

TEST(Gradients, BranchesGatesAndRepeats) {
  const ConvOptions wide{.filters = 4, .kernel = 1, .activation = kRelu};
  const BranchesOptions inception{
      {{{wide}}, {{wide, ConvOptions{.filters = 6, .padding = Padding::kSame}, kNorm}}, {{}}}};
  const GateOptions squeeze{{AvgPoolOptions{.global = true},
                             DenseOptions{.units = 3, .activation = kRelu},
                             DenseOptions{.units = 7, .activation = ActivationKind::kSigmoid}}};
  const GateOptions by_pixel{
      {ConvOptions{.filters = 7, .kernel = 1, .activation = ActivationKind::kSigmoid}}};
  expect_case({.layers = {inception}, .bf16_tolerance = kChoosyBf16});
  expect_case({.layers = {kSame, squeeze, by_pixel}, .bf16_tolerance = kChoosyBf16});
  expect_case({.layers = {kSame, AvgPoolOptions{.global = true}, FlattenOptions{},
                          GateOptions{{DenseOptions{.units = 7}}}}});
  expect_case(
      {.layers = {kSame, RepeatOptions{.times = 3,
                                       .layers = {ResidualOptions{.layers = {kSame, kNorm, squeeze},
                                                                  .activation = kRelu}}}},
       .bf16_tolerance = kChoosyBf16});
}

TEST(Gradients, DropPathAndDropoutWithinBlocks) {
  const ResidualOptions dropped{.layers = {kSame, kDrop}, .drop_path = 0.4F};
  expect_case({.layers = {kSame, kDrop, dropped, dropped,
                          ResidualOptions{.layers = {kSame, kNorm, kDrop},
                                          .shortcut = {{kSame, kDrop}},
                                          .activation = kRelu,
                                          .drop_path = 0.25F}},
               .bf16_tolerance = kChoosyBf16});
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
}  // namespace lockstep
