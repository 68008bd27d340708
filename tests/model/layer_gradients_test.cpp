// Gradients of convolutions of every form, of pools with padding, of group norm and layer norm.

#include <tuple>

#include "model/gradients.h"

namespace lockstep::gradients {
namespace {

const ConvOptions kConv{.filters = 7, .activation = ActivationKind::kTanh};
const DropoutOptions kDrop{.rate = 0.3F};

TEST(LayerGradients, ConvolutionsOfGroupsDilationAndPixelsOfPadding) {
  const ConvOptions before{.filters = 6, .kernel = 1};
  const std::vector<ConvOptions> all = {
      {.filters = 8, .padding_pixels = 1, .groups = 2},
      {.filters = 6, .padding = Padding::kSame, .groups = 6},
      {.filters = 12, .stride = 2, .padding_pixels = 1, .groups = 6, .bias = false},
      {.filters = 4, .dilation = 2},
      {.filters = 4, .padding = Padding::kSame, .dilation = 3},
      {.filters = 16, .padding = Padding::kSame, .dilation = 2},
      {.filters = 9, .kernel = 2, .stride = 2, .padding_pixels = 3, .dilation = 2, .groups = 3},
      {.filters = 16, .kernel = 7, .stride = 2, .padding_pixels = 3, .bias = false},
      {.filters = 16, .kernel = 3, .padding_pixels = 4}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(i);
    expect_case({.layers = {before, all[i]}, .input = {9, 8, 2}});
    expect_case({.layers = {all[i]}, .input = {7, 10, 6}, .batch = 17});
  }
}

// They magnify rounding.
constexpr double kSmallVariances = 3e-5;

TEST(LayerGradients, GroupNormAndLayerNorm) {
  const ConvOptions conv{.filters = 12};
  const ActivationOptions relu{kRelu};
  for (const int groups : {1, 3, 12}) {
    SCOPED_TRACE(groups);
    expect_case({.layers = {conv, GroupNormOptions{.groups = groups}, kConv},
                 .bf16_tolerance = kChoosyBf16});
    expect_case({.layers = {conv, FlattenOptions{},
                            GroupNormOptions{.groups = groups, .epsilon = 0.1F}, kDrop},
                 .fp32_tolerance = kSmallVariances});
  }
  expect_case({.layers = {conv, LayerNormOptions{}, kConv}, .bf16_tolerance = kChoosyBf16});
  expect_case({.layers = {LayerNormOptions{}, GroupNormOptions{.groups = 2}, relu},
               .input = {5, 7, 6},
               .fp32_tolerance = kSmallVariances,
               .bf16_tolerance = kChoosyBf16});
  expect_case({.layers = {FlattenOptions{}, DenseOptions{.units = 40},
                          LayerNormOptions{.epsilon = 0.1F}, relu},
               .batch = 1});
}

TEST(LayerGradients, StridedSamePaddingOfImagesThatAreNotSquare) {
  expect_case({.layers = {ConvOptions{.filters = 3, .kernel = 1},
                          ConvOptions{.filters = 5, .stride = 2, .padding = Padding::kSame}},
               .input = {9, 6, 2}});
}

TEST(LayerGradients, PoolsWithPadding) {
  const ConvOptions conv{.filters = 7};
  for (const auto& [size, stride, padding] :
       {std::tuple{3, 2, 1}, {2, 2, 1}, {3, 1, 1}, {5, 3, 2}, {16, 9, 8}}) {
    SCOPED_TRACE(fmt::format("size {} stride {} padding {}", size, stride, padding));
    expect_case({.layers = {conv, AvgPoolOptions{size, stride, padding}, kDrop}});
    expect_case({.layers = {conv, ActivationOptions{kRelu}, MaxPoolOptions{size, stride, padding}},
                 .bf16_tolerance = kChoosyBf16});
    expect_case(
        {.layers = {conv, MaxPoolOptions{size, stride, padding}}, .bf16_tolerance = kChoosyBf16});
  }
}

}  // namespace
}  // namespace lockstep::gradients
