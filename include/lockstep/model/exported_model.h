// What a writer of a file for other programs needs to know of a trained network. Such
// a file computes in fp32, whatever the precision of the training; its input are raw
// pixels [samples, channels, height, width], values from 0 to 255, its output the
// logits [samples, classes]. Plain views: all outlive the struct.
#pragma once

#include <map>
#include <span>
#include <string>

#include "lockstep/core/batch.h"
#include "lockstep/model/network.h"
#include "lockstep/model/options.h"

namespace lockstep {

struct ExportedModel {
  const ModelOptions& options;  // those that `network` was made of
  const Network& network;
  std::span<const float> weights;  // flat, [network.total_size()]
  std::span<const float> factor;   // [channels]: input = pixel * factor + offset
  std::span<const float> offset;   // [channels]
  const std::map<std::string, std::string>& metadata;

  // The part of `weights` that is the parameter `role` of layer `index`: a view of
  // the shape that Network gives.
  std::span<const float> parameter(std::size_t index, const std::string& role) const;
};

// Zeros around an image, in pixels.
struct Margins {
  int before = 0;  // above and left
  int after = 0;   // below and right
};

Margins margins_of(const ConvOptions& conv, const ImageShape& input);

// max_pool's stride with its default resolved.
int stride_of(const MaxPoolOptions& pool);

// Slope of the leaky relu below 0.
inline constexpr float kLeakyReluSlope = 0.01F;

}  // namespace lockstep
