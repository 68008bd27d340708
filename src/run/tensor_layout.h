// Tensors of a file in the order and shape that parameters have. Pure.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "lockstep/checkpoint/safetensors.h"
#include "lockstep/model/network.h"
#include "lockstep/run/initial_weights.h"

namespace lockstep {

// What decides how the tensor for a parameter is laid out.
struct ParameterPlace {
  enum class Kind { kVector, kConv, kDense };
  Kind kind = Kind::kVector;
  bool sees_images = false;  // of a convolution: its input are the images
  bool gives_logits = false;
  ImageShape flattened{};  // of the image whose values are the inputs; of one channel: any order
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
