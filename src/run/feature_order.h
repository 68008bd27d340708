// The order of a value's features in a network of ours and in the same network in PyTorch, where
// a flattened image is channel after channel. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "lockstep/model/graph.h"

namespace lockstep {

// Neighbouring features, in the same place in both networks: of a flattened image, or of one
// pixel, whose order is the same in both.
struct FeatureBlock {
  std::int64_t pixels = 1;
  std::int64_t channels = 0;
  bool mixed = false;  // of images flattened in several shapes: each feature meets another there
  std::optional<std::size_t> open = std::nullopt;  // of a dense layer's outputs: yet to be found

  std::int64_t size() const { return pixels * channels; }
  bool operator==(const FeatureBlock&) const = default;
};

using FeatureOrder = std::vector<FeatureBlock>;

// By ValueId, of images that of their channels; none is open. A dense layer's outputs have the
// order of what they are added to or multiplied with.
std::vector<FeatureOrder> find_feature_orders(const Graph& graph);

bool is_same_in_both(const FeatureOrder& order);
bool is_mixed(const FeatureOrder& order);

// Whether groups of so many neighbours have the same members in both.
bool keeps_groups(const FeatureOrder& order, std::int64_t group_size);

// By feature of ours, its place in PyTorch's.
std::vector<std::size_t> places_there(const FeatureOrder& order);

}  // namespace lockstep
