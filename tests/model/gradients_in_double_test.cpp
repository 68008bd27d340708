// The arithmetic of ops and blocks by LibTorch's explicit forward and backward, in double, against
// its autograd: what differs is the rounding of gradients that are stored in fp32.

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>

#include "lockstep/core/match.h"
#include "lockstep/model/op_runner.h"
#include "model/gradients.h"
#include "model/own_runners.h"

namespace lockstep::gradients {
namespace {

constexpr double kTolerance = 1e-6;  // of the largest gradient of a parameter

std::unique_ptr<OpRunner> make_in_double(const Op& op, OpContext context) {
  context.type = at::kDouble;
  context.gives_logits = false;
  using Runner = std::unique_ptr<OpRunner>;
  const auto none = [](const char* kind) -> Runner {
    throw std::runtime_error(std::string("no runner in double for a ") + kind);
  };
  return std::visit(
      Match{[&](const NormOp& /*norm*/) { return none("batch norm"); },
            [&](const GateOp& /*gate*/) { return none("relu or max pool"); },
            [&](const DropPathOp& drop) { return make_drop_path(drop, context); },
            [&](const auto& work) -> Runner { return make_torch_runner(work, context); }},
      op.work);
}

at::Tensor d_logits_of(const at::Tensor& logits, const Batch& batch) {
  const at::Tensor leaf = logits.clone().requires_grad_();
  const at::Tensor labels =
      at::from_blob(const_cast<std::int32_t*>(batch.labels.data()), {batch.size}, at::kInt)
          .to(at::kLong);
  at::cross_entropy_loss(leaf, labels, {}, at::Reduction::Sum).backward();
  return leaf.grad();
}

void expect_in_double(const std::vector<LayerOptions>& layers, const ImageShape& input) {
  const ModelOptions model = model_of({.layers = layers});
  const Network network(model, input, kClasses);
  const std::vector<float> values = weights_of(network);
  const Batch batch = batch_of(input, 7, kClasses);
  const LaneContext context{77, 3};
  std::vector<float> gradients(static_cast<std::size_t>(network.trainable_size()));
  Pass pass{.mode = Mode::kTrain,
            .network = network,
            .device = at::kCPU,
            .weights = values,
            .rounded_weights = {},
            .samples = batch.size,
            .gradients = gradients,
            .statistics = {},
            .batch = &batch,
            .context = &context};
  PlanRunner runner(network, Precision::kFp32, make_in_double);
  const at::Tensor images = view_floats(pass, batch.images.data(),
                                        {batch.size, input.height, input.width, input.channels});
  at::Tensor logits = runner.forward(pass, images.to(at::kDouble));
  logits = logits.view({batch.size, kClasses});
  TorchReference reference(model, network, values);
  const at::Tensor expected = reference.logits(batch, context, Phase::kTrain).detach();
  ASSERT_LE(logits.sub(expected).abs().max().item<double>(), 1e-12);
  reference.train(batch, context);
  runner.backward(pass, d_logits_of(logits, batch));
  double largest = 0;
  for (const Parameter& parameter : network.parameters()) {
    largest = std::max(
        largest,
        compare(part(gradients, parameter.range), reference.gradient(parameter.name)).expected);
  }
  for (const Parameter& parameter : network.parameters()) {
    SCOPED_TRACE(parameter.name);
    const Errors errors =
        compare(part(gradients, parameter.range), reference.gradient(parameter.name));
    EXPECT_LE(errors.largest, kTolerance * std::max(errors.expected, 0.1 * largest));
  }
}

const ConvOptions kBefore{.filters = 6, .kernel = 1, .activation = ActivationKind::kTanh};

TEST(GradientsInDouble, Convolutions) {
  const std::vector<ConvOptions> all = {
      {.filters = 8, .padding_pixels = 1, .groups = 2},
      {.filters = 12, .stride = 2, .padding_pixels = 1, .groups = 6, .bias = false},
      {.filters = 4, .padding = Padding::kSame, .dilation = 3},
      {.filters = 5, .stride = 2, .padding = Padding::kSame},
      {.filters = 9, .kernel = 2, .stride = 2, .padding_pixels = 3, .dilation = 2, .groups = 3}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(i);
    expect_in_double({kBefore, all[i]}, {9, 8, 2});
  }
}

TEST(GradientsInDouble, PoolsWithPadding) {
  for (const auto& [size, stride, padding] : {std::tuple{3, 2, 1}, {2, 2, 1}, {16, 9, 8}}) {
    SCOPED_TRACE(fmt::format("size {} stride {} padding {}", size, stride, padding));
    expect_in_double({kBefore, AvgPoolOptions{size, stride, padding}}, {9, 8, 2});
  }
  expect_in_double({kBefore, MaxPoolOptions{16, 9, 8}}, {9, 8, 2});
}

TEST(GradientsInDouble, GroupNormAndLayerNorm) {
  expect_in_double({kBefore, GroupNormOptions{.groups = 2}, kBefore}, {9, 8, 2});
  expect_in_double({kBefore, GroupNormOptions{.groups = 6}}, {9, 8, 2});
  expect_in_double({kBefore, LayerNormOptions{}, kBefore}, {9, 8, 2});
  expect_in_double({FlattenOptions{}, DenseOptions{.units = 12}, GroupNormOptions{.groups = 3},
                    LayerNormOptions{.epsilon = 0.1F}},
                   {5, 4, 2});
}

TEST(GradientsInDouble, Activations) {
  using enum ActivationKind;
  for (const ActivationKind kind :
       {kLeakyRelu, kGelu, kSilu, kTanh, kSigmoid, kHardSwish, kRelu6}) {
    SCOPED_TRACE(static_cast<int>(kind));
    expect_in_double({ConvOptions{.filters = 5}, ActivationOptions{kind}}, {5, 6, 2});
  }
}

TEST(GradientsInDouble, Blocks) {
  const ConvOptions same{
      .filters = 6, .padding = Padding::kSame, .activation = ActivationKind::kSilu};
  const GateOptions squeeze{{AvgPoolOptions{.global = true},
                             DenseOptions{.units = 6, .activation = ActivationKind::kSigmoid}}};
  expect_in_double({kBefore, ResidualOptions{.layers = {same, LayerNormOptions{}},
                                             .shortcut = {},
                                             .activation = ActivationKind::kRelu}},
                   {9, 8, 2});
  expect_in_double({kBefore, ResidualOptions{.layers = {same},
                                             .shortcut = {{same}},
                                             .activation = ActivationKind::kGelu,
                                             .drop_path = 0.5F}},
                   {9, 8, 2});
  expect_in_double({kBefore, BranchesOptions{{{{same}}, {{}}, {{kBefore, same}}}}}, {9, 8, 2});
  expect_in_double({kBefore, GateOptions{{same}}, squeeze}, {9, 8, 2});
  expect_in_double(
      {kBefore,
       RepeatOptions{.times = 2, .layers = {ResidualOptions{.layers = {same}, .shortcut = {}}}}},
      {9, 8, 2});
}

}  // namespace
}  // namespace lockstep::gradients
