// The settings of layers (see fields.h).
#pragma once

#include "config/section.h"
#include "config/traits.h"
#include "lockstep/model/options.h"

namespace lockstep {

inline constexpr const char* kOutputActivation = "applied to the output";
inline constexpr const char* kInitialWeights =
    "initial weights; biases begin at 0, but for `PYTORCH`";

inline constexpr const char* kEpsilon = "added to the variance";

template <>
inline constexpr Choice kChoice<ConvOptions>{ConvOptions::kName, "Conv"};
template <class Visit>
void fields(Visit& visit, ConvOptions& conv) {
  auto& [filters, kernel, stride, padding, padding_pixels, dilation, groups, activation,
         initializer, bias] = conv;
  visit("filters", filters, "output channels", from(1, kMaxExtent));
  visit("kernel", kernel,
        "side of the square kernel; above 127 at most that of its input, with a stride of 1",
        from(1, kMaxImageSide));
  visit("stride", stride, "step of the kernel", from(1, kMaxImageSide));
  visit("padding", padding, "none; or zeros, so that stride 1 keeps the size");
  visit("padding_pixels", padding_pixels, "in place of `padding`: so many zeros on each side",
        from(0, kMaxImageSide));
  visit("dilation", dilation, "pixels from one value that the kernel meets to the next",
        from(1, kMaxImageSide));
  visit("groups", groups,
        "of channels; each group's filters see its inputs alone; as many as inputs: depthwise",
        from(1, kMaxExtent));
  visit("activation", activation, kOutputActivation);
  visit("initializer", initializer, kInitialWeights);
  visit("bias", bias, "add a bias to each channel");
}

template <>
inline constexpr Choice kChoice<DenseOptions>{DenseOptions::kName, "Dense"};
template <class Visit>
void fields(Visit& visit, DenseOptions& dense) {
  auto& [units, activation, initializer, bias] = dense;
  visit("units", units, "outputs", from(1, kMaxExtent));
  visit("activation", activation, kOutputActivation);
  visit("initializer", initializer, kInitialWeights);
  visit("bias", bias, "add a bias to each output");
}

template <>
inline constexpr Choice kChoice<BatchNormOptions>{BatchNormOptions::kName, "BatchNorm"};
template <class Visit>
void fields(Visit& visit, BatchNormOptions& norm) {
  auto& [momentum, epsilon] = norm;
  visit("momentum", momentum, "of the running statistics: r = m r + (1 − m) batch", fraction());
  visit("epsilon", epsilon, kEpsilon, above_zero());
}

template <>
inline constexpr Choice kChoice<GroupNormOptions>{GroupNormOptions::kName, "GroupNorm"};
template <class Visit>
void fields(Visit& visit, GroupNormOptions& norm) {
  auto& [groups, epsilon] = norm;
  visit("groups", groups, "of channels; each is normalized over its channels and a sample's pixels",
        from(1, kMaxExtent));
  visit("epsilon", epsilon, kEpsilon, above_zero());
}

template <>
inline constexpr Choice kChoice<LayerNormOptions>{LayerNormOptions::kName, "LayerNorm"};
template <class Visit>
void fields(Visit& visit, LayerNormOptions& norm) {
  auto& [epsilon] = norm;
  visit("epsilon", epsilon, "added to the variance over the channels of each pixel", above_zero());
}

template <>
inline constexpr Choice kChoice<DropoutOptions>{DropoutOptions::kName, "Dropout"};
template <class Visit>
void fields(Visit& visit, DropoutOptions& dropout) {
  auto& [rate] = dropout;
  visit("rate", rate, "part of the values dropped, rounded to a multiple of 1/256", fraction());
}

template <class Visit, class Pool>
void pool_fields(Visit& visit, Pool& pool, const char* padding_means) {
  auto& [size, stride, padding_pixels, global] = pool;
  Traits or_zero = from(1, kMaxImageSide);
  or_zero.zero_too = true;
  visit("size", size, "side of the square window", from(1, kMaxImageSide));
  visit("stride", stride, "step of the window; 0: as `size`", or_zero);
  visit("padding_pixels", padding_pixels, padding_means, from(0, kMaxImageSide));
  visit("global", global, "the window is the whole image; the others are left out");
}

template <>
inline constexpr Choice kChoice<MaxPoolOptions>{MaxPoolOptions::kName, "MaxPool"};
template <class Visit>
void fields(Visit& visit, MaxPoolOptions& pool) {
  pool_fields(visit, pool, "on each side, at most half of `size`; never the largest");
}

template <>
inline constexpr Choice kChoice<AvgPoolOptions>{AvgPoolOptions::kName, "AvgPool"};
template <class Visit>
void fields(Visit& visit, AvgPoolOptions& pool) {
  pool_fields(visit, pool,
              "on each side, at most half of `size`; zeros that count in the mean, as PyTorch's");
}

template <>
inline constexpr Choice kChoice<FlattenOptions>{FlattenOptions::kName, "Flatten",
                                                "pixels and channels to one vector"};
template <class Visit>
void fields(Visit& /*visit*/, FlattenOptions& /*flatten*/) {}

template <>
inline constexpr Choice kChoice<ActivationOptions>{ActivationOptions::kName, "Activation"};
template <class Visit>
void fields(Visit& visit, ActivationOptions& activation) {
  auto& [kind] = activation;
  visit("kind", kind, "an activation as a layer of its own");
}

template <>
inline constexpr Choice kChoice<LogitsOptions>{LogitsOptions::kName, "Logits"};
template <class Visit>
void fields(Visit& visit, LogitsOptions& logits) {
  auto& [initializer, bias] = logits;
  visit("initializer", initializer,
        "the last layer, dense with as many units as there are classes: initial weights; biases "
        "begin at 0, but for `PYTORCH`");
  visit("bias", bias, "add a bias to each output");
}

}  // namespace lockstep
