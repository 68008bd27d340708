// Lowers a list of layers to a graph of primitives: all rules of shapes, margins and defaults.
#pragma once

#include <string_view>

#include "lockstep/model/graph.h"

namespace lockstep {

// Throws Error (2) that names the layer where shapes do not fit, or where the last layer's
// output is not [1, 1, classes].
Graph lower(const ModelOptions& options, const ImageShape& input, int classes);

}  // namespace lockstep
