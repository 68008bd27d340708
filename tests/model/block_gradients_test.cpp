// Blocks of layers against LibTorch in double.

#include "model/gradients.h"

namespace lockstep::gradients {
namespace {

const DropoutOptions kDrop{.rate = 0.3F};
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
                                .shortcut = {},
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
      {kSame, ResidualOptions{.layers = {relu}, .shortcut = {}, .activation = kRelu}, relu},
      {kSame, ResidualOptions{.layers = {kNorm, relu}, .shortcut = {}}, kNorm, relu},
      {kSame, relu, ResidualOptions{.layers = {kNorm}, .shortcut = {}}},
      {kSame, kNorm, ResidualOptions{.layers = {relu, kSame}, .shortcut = {{relu}}}},
      {kSame, relu, GateOptions{{kNorm}}, MaxPoolOptions{}},
      {kSame, ResidualOptions{.layers = {ResidualOptions{
                                  .layers = {kSame}, .shortcut = {}, .activation = kRelu}},
                              .shortcut = {},
                              .activation = kRelu}},
      {ResidualOptions{.layers = {ActivationOptions{ActivationKind::kTanh}}, .shortcut = {}},
       kSame},
      {FlattenOptions{}, DenseOptions{.units = 9},
       ResidualOptions{.layers = {DenseOptions{.units = 9}}, .shortcut = {}, .activation = kRelu}},
      {kSame, AvgPoolOptions{.global = true},
       ResidualOptions{.layers = {DenseOptions{.units = 7}}, .shortcut = {}}},
      {kSame, ResidualOptions{.layers = {MaxPoolOptions{.size = 1}}, .shortcut = {{kNorm}}}, kDrop},
      {kSame, kNorm, ResidualOptions{.layers = {kSame}, .shortcut = {}, .activation = kRelu}},
      {kSame, ResidualOptions{.layers = {kNorm, relu}, .shortcut = {{kNorm}}, .activation = kRelu},
       kDrop, MaxPoolOptions{}},
      {kSame,
       ResidualOptions{
           .layers = {kNorm}, .shortcut = {{kNorm}}, .activation = ActivationKind::kRelu6}},
      {kSame, FlattenOptions{},
       ResidualOptions{.layers = {kNorm}, .shortcut = {}, .activation = kRelu}},
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
                                                                  .shortcut = {},
                                                                  .activation = kRelu}}}},
       .bf16_tolerance = kChoosyBf16});
}

TEST(Gradients, DropPathAndDropoutWithinBlocks) {
  const ResidualOptions dropped{.layers = {kSame, kDrop}, .shortcut = {}, .drop_path = 0.4F};
  expect_case({.layers = {kSame, kDrop, dropped, dropped,
                          ResidualOptions{.layers = {kSame, kNorm, kDrop},
                                          .shortcut = {{kSame, kDrop}},
                                          .activation = kRelu,
                                          .drop_path = 0.25F}},
               .bf16_tolerance = kChoosyBf16});
}

}  // namespace
}  // namespace lockstep::gradients
