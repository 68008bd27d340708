// The settings of layers (see fields.h).
#pragma once

#include "config/section.h"
#include "config/traits.h"
#include "lockstep/model/options.h"

namespace lockstep {

inline constexpr const char* kOutputActivation = "applied to the output";
inline constexpr const char* kInitialWeights = "initial weights; biases begin at 0";

template <>
inline constexpr Choice kChoice<ConvOptions>{ConvOptions::kName, "Conv"};
template <class Visit>
void fields(Visit& visit, ConvOptions& conv) {
  auto& [filters, kernel, stride, padding, activation, initializer, bias] = conv;
  visit("filters", filters, "output channels", from(1, kMaxExtent));
  visit("kernel", kernel, "side of the square kernel", from(1, kMaxImageSide));
  visit("stride", stride, "step of the kernel", from(1, kMaxImageSide));
  visit("padding", padding, "none; or zeros, so that stride 1 keeps the size");
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
  visit("epsilon", epsilon, "added to the variance", above_zero());
}

template <>
inline constexpr Choice kChoice<DropoutOptions>{DropoutOptions::kName, "Dropout"};
template <class Visit>
void fields(Visit& visit, DropoutOptions& dropout) {
  auto& [rate] = dropout;
  visit("rate", rate, "part of the values dropped, rounded to a multiple of 1/256", fraction());
}

template <class Visit>
void pool_fields(Visit& visit, int& size, int& stride, bool& global) {
  Traits or_zero = from(1, kMaxImageSide);
  or_zero.zero_too = true;
  visit("size", size, "side of the square window", from(1, kMaxImageSide));
  visit("stride", stride, "step of the window; 0: as `size`", or_zero);
  visit("global", global, "the window is the whole image; `size` and `stride` are left out");
}

template <>
inline constexpr Choice kChoice<MaxPoolOptions>{MaxPoolOptions::kName, "MaxPool"};
template <class Visit>
void fields(Visit& visit, MaxPoolOptions& pool) {
  auto& [size, stride, global] = pool;
  pool_fields(visit, size, stride, global);
}

template <>
inline constexpr Choice kChoice<AvgPoolOptions>{AvgPoolOptions::kName, "AvgPool"};
template <class Visit>
void fields(Visit& visit, AvgPoolOptions& pool) {
  auto& [size, stride, global] = pool;
  pool_fields(visit, size, stride, global);
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

template <class Visit>
void layer_fields(Visit& visit, std::vector<LayerOptions>& layers, const char* meaning,
                  const Traits& traits = required()) {
  visit.list("layer", "Layer", layers, meaning, traits);
}

template <class Visit>
void fields(Visit& visit, PathOptions& path) {
  auto& [layers] = path;
  layer_fields(visit, layers, "layers in a row; none: the input as it is", Traits());
}

template <>
inline constexpr Choice kChoice<ResidualOptions>{ResidualOptions::kName, "Residual"};
template <class Visit>
void fields(Visit& visit, ResidualOptions& residual) {
  auto& [layers, shortcut, activation, drop_path] = residual;
  layer_fields(visit, layers, "what is added to the shortcut");
  section(visit, "shortcut", "Path", shortcut);
  visit("activation", activation, "applied to the sum");
  visit("drop_path", drop_path,
        "part of the samples for which the layers are left out (stochastic depth), rounded to a "
        "multiple of 1/256",
        fraction());
}

template <>
inline constexpr Choice kChoice<BranchesOptions>{BranchesOptions::kName, "Branches"};
template <class Visit>
void fields(Visit& visit, BranchesOptions& branches) {
  auto& [paths] = branches;
  visit.sections("branch", "Path", paths,
                 "the outputs of all branches are joined along the channels");
}

template <>
inline constexpr Choice kChoice<GateOptions>{GateOptions::kName, "Gate"};
template <class Visit>
void fields(Visit& visit, GateOptions& gate) {
  auto& [layers] = gate;
  layer_fields(visit, layers,
               "the input is multiplied by their output, of its size or one value a channel "
               "(squeeze and excitation)");
}

template <>
inline constexpr Choice kChoice<RepeatOptions>{RepeatOptions::kName, "Repeat"};
template <class Visit>
void fields(Visit& visit, RepeatOptions& repeat) {
  auto& [times, layers] = repeat;
  visit("times", times, "how often, each time with weights of its own", from(1, 1000));
  layer_fields(visit, layers, "what is repeated");
}

template <class Visit>
void fields(Visit& visit, ModelOptions& model) {
  auto& [layers] = model;
  layer_fields(visit, layers,
               "the network, first layer first; each entry is one of the kinds below; `[i]` counts "
               "from 0");
}

}  // namespace lockstep
