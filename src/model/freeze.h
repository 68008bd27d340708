// Which parameters a training leaves as they are, and what that spares a pass. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lockstep/model/graph.h"
#include "lockstep/model/plan.h"

namespace lockstep {

// Marks what `patterns` choose, as Network says, and places it behind all that changes.
FlatSizes freeze(Graph& graph, std::span<const std::string> patterns);

// By value of the graph, as the plan gives it: 1 where it needs a gradient, since some parameter
// before it is trained.
std::vector<std::uint8_t> values_with_gradients(const Graph& graph, const Plan& plan);

}  // namespace lockstep
