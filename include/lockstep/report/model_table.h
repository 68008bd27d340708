// A network as a table: layers, output shapes, parameters.
#pragma once

#include <string>

#include "lockstep/model/network.h"

namespace lockstep {

// Aligned lines, the last one with the totals; ends in "\n". Local, any thread.
std::string model_table(const Network& network);

}  // namespace lockstep
