// Tensors of a file in the order and shape that parameters have. Pure.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "lockstep/checkpoint/safetensors.h"
#include "lockstep/model/network.h"
#include "lockstep/run/initial_weights.h"
#include "run/feature_order.h"

namespace lockstep {

// What decides how the tensor for a parameter is laid out.
struct ParameterPlace {
  bool is_conv = false;      // its weight
  bool sees_images = false;  // of a convolution: all of the images' channels
  bool gives_logits = false;
  FeatureOrder order{};   // along its first axis; of a convolution: none
  FeatureOrder inputs{};  // along a dense weight's second axis
  std::string refusal{};  // why no tensor of PyTorch's can be taken; empty: they can
};

// By the names of parameters.
std::unordered_map<std::string, ParameterPlace> find_places(const Graph& graph);

struct ArrangedTensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
  std::string change;  // of its values, in words; empty: none
};

// For a parameter of that shape. Where the shapes differ in more than the first convolution's
// channels, the result is the whole tensor.
ArrangedTensor arrange(const TensorView& tensor, const ParameterPlace& place, Layouts layouts,
                       const std::vector<std::int64_t>& wanted);

}  // namespace lockstep
