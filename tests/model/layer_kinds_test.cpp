// Shapes, titles, costs and refusals of convolutions, pools and norms.

#include <gtest/gtest.h>

#include "lockstep/core/error.h"
#include "lockstep/model/network.h"

namespace lockstep {
namespace {

constexpr int kClasses = 3;

ModelOptions with_logits(std::vector<LayerOptions> layers) {
  layers.push_back(FlattenOptions{});
  layers.push_back(DenseOptions{.units = kClasses});
  return {std::move(layers)};
}

LayerInfo first_of(const LayerOptions& layer, const ImageShape& input) {
  return Network(with_logits({layer}), input, kClasses).layers().front();
}

std::string refusal(const LayerOptions& layer, const ImageShape& input) {
  try {
    first_of(layer, input);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage) << error.what();
    return error.what();
  }
  return {};
}

TEST(LayerKinds, ShapesOfConvolutions) {
  struct Case {
    ConvOptions conv;
    ImageShape input, output;
  };
  // By PyTorch's formula, floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, and
  // by TensorFlow's for same padding, ceil(size / stride).
  for (const Case& each :
       {Case{{.filters = 4, .kernel = 7, .stride = 2, .padding_pixels = 3},
             {64, 31, 3},
             {32, 16, 4}},
        Case{{.filters = 4, .padding_pixels = 1}, {5, 9, 3}, {5, 9, 4}},
        Case{{.filters = 4, .dilation = 3}, {9, 10, 3}, {3, 4, 4}},
        Case{{.filters = 4, .kernel = 1, .stride = 2}, {9, 10, 3}, {5, 5, 4}},
        Case{{.filters = 4, .stride = 3, .padding = Padding::kSame, .dilation = 2},
             {9, 10, 3},
             {3, 4, 4}}}) {
    EXPECT_EQ(first_of(each.conv, each.input).output, each.output);
  }
}

TEST(LayerKinds, ShapesOfPools) {
  EXPECT_EQ(
      first_of(MaxPoolOptions{.size = 3, .stride = 2, .padding_pixels = 1}, {32, 33, 4}).output,
      (ImageShape{16, 17, 4}));
  EXPECT_EQ(first_of(AvgPoolOptions{.size = 5, .stride = 1, .padding_pixels = 2}, {4, 9, 4}).output,
            (ImageShape{4, 9, 4}));
}

TEST(LayerKinds, TitlesAndCosts) {
  const LayerInfo depthwise = first_of(
      ConvOptions{
          .filters = 12, .padding_pixels = 1, .groups = 6, .activation = ActivationKind::kRelu6},
      {5, 7, 6});
  EXPECT_EQ(depthwise.title, "conv 12 3x3 depthwise relu6");
  EXPECT_EQ(depthwise.parameters, 12 * 9 + 12);
  EXPECT_EQ(depthwise.multiply_adds, 12 * 9 * 5 * 7);
  EXPECT_EQ(first_of(ConvOptions{.filters = 4, .dilation = 2, .groups = 2}, {8, 8, 6}).title,
            "conv 4 3x3 groups 2 dilation 2");
  const LayerInfo group = first_of(GroupNormOptions{.groups = 3}, {5, 7, 6});
  EXPECT_EQ(group.title, "group norm 3");
  EXPECT_EQ(group.trainable_parameters, 12);
  EXPECT_EQ(group.parameters, 12);
  EXPECT_EQ(first_of(LayerNormOptions{}, {5, 7, 6}).title, "layer norm");
  EXPECT_EQ(first_of(ActivationOptions{ActivationKind::kHardSwish}, {5, 7, 6}).title, "hard_swish");
  const Network network(with_logits({ConvOptions{.filters = 8, .kernel = 5, .groups = 2}}),
                        {5, 7, 6}, kClasses);
  EXPECT_EQ(network.parameters()[0].shape, (std::vector<std::int64_t>{8, 5, 5, 3}));
}

TEST(LayerKinds, RefusalsNameTheLayer) {
  const ImageShape input{6, 8, 6};
  const std::string conv = "model.layer[0] (conv): ";
  EXPECT_EQ(refusal(ConvOptions{.filters = 8, .groups = 4}, input),
            conv + "4 groups do not divide its 6 input channels and 8 filters evenly");
  EXPECT_EQ(refusal(ConvOptions{.filters = 8, .groups = 3}, input),
            conv + "3 groups do not divide its 6 input channels and 8 filters evenly");
  EXPECT_EQ(
      refusal(ConvOptions{.filters = 8, .padding = Padding::kSame, .padding_pixels = 1}, input),
      conv + "has padding: SAME and padding_pixels; expected one of them");
  EXPECT_EQ(refusal(ConvOptions{.filters = 8, .dilation = 3}, input),
            conv +
                "a 3x3 kernel of dilation 3 with valid padding does not fit into its input of "
                "6x8x6");
  EXPECT_EQ(refusal(ConvOptions{.filters = 8, .kernel = 9, .padding_pixels = 1}, input),
            conv + "a 9x9 kernel with padding of 1 does not fit into its input of 6x8x6");
  EXPECT_EQ(
      refusal(ConvOptions{.filters = 8, .padding = Padding::kSame, .dilation = 4000}, input),
      conv + "a 3x3 kernel of dilation 4000 reaches over 8001 pixels, at most 4096 are possible");
  const ConvOptions wide{.filters = 8, .kernel = 253, .padding = Padding::kSame};
  const std::string right =
      "; expected at most 127x127, or one no larger than the input that moves by a stride of 1";
  EXPECT_EQ(refusal(wide, {12, 12, 1}),
            conv + "a 253x253 kernel of stride 1 on an input of 12x12x1" + right);
  EXPECT_EQ(refusal(ConvOptions{.filters = 8, .kernel = 128, .stride = 7}, {300, 300, 1}),
            conv + "a 128x128 kernel of stride 7 on an input of 300x300x1" + right);
  EXPECT_EQ(first_of(ConvOptions{.filters = 8, .kernel = 200}, {300, 300, 1}).output.height, 101);
  EXPECT_EQ(
      refusal(MaxPoolOptions{.size = 3, .padding_pixels = 2}, input),
      "model.layer[0] (max_pool): 2 padding_pixels around a 3x3 window; at most half of its side");
  EXPECT_EQ(refusal(AvgPoolOptions{.padding_pixels = 1, .global = true}, input),
            "model.layer[0] (avg_pool): its window is the whole image; leave out size, stride and "
            "padding_pixels, or global");
  EXPECT_EQ(refusal(GroupNormOptions{.groups = 4}, input),
            "model.layer[0] (group_norm): 4 groups do not divide its 6 channels evenly");
}

}  // namespace
}  // namespace lockstep
