// A network as a table: layers, output shapes, parameters.
#pragma once

#include <string>

#include "lockstep/model/network.h"

namespace lockstep {

// "8x8x32", or "10" of a vector.
std::string shape_text(const ImageShape& shape);

// A layer's title, behind the part of the block that it is in: "shortcut: conv 8 1x1".
std::string title_in_block(const LayerInfo& layer);

// The same; those of a block's layers stand further to the right.
std::string indented_title(const LayerInfo& layer);

// Aligned lines, the last one with the totals; ends in "\n". Local, any thread.
std::string model_table(const Network& network);

}  // namespace lockstep
