// What a writer of a file for other programs needs to know of a trained network. Such
// a file computes in fp32, whatever the precision of the training; its input are raw
// pixels [samples, channels, height, width], values from 0 to 255, its output the
// logits [samples, classes]. Plain views: all outlive the struct.
#pragma once

#include <map>
#include <span>
#include <string>

#include "lockstep/model/network.h"

namespace lockstep {

struct ExportedModel {
  const Network& network;
  std::span<const float> weights;  // flat, [network.total_size()]
  std::span<const float> factor;   // [channels]: input = pixel * factor + offset
  std::span<const float> offset;   // [channels]
  const std::map<std::string, std::string>& metadata;

  // The part of `weights` that is a parameter, of the parameter's shape.
  std::span<const float> values(const Parameter& parameter) const {
    return weights.subspan(static_cast<std::size_t>(parameter.range.first),
                           static_cast<std::size_t>(parameter.range.size()));
  }
};

}  // namespace lockstep
