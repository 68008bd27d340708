// The settings of layers of layers, and of the model (see fields.h).
#pragma once

#include <vector>

#include "config/fields_of_layers.h"

namespace lockstep {

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
                 "the outputs of all branches are joined along the channels", required());
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
