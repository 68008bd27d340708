// Makes the plan of a graph: joins primitives that can be one pass over memory.
#pragma once

#include "lockstep/model/plan.h"

namespace lockstep {

Plan fuse(const Graph& graph);

}  // namespace lockstep
