// What tells a source from another one of its name. Local, any thread.
#pragma once

#include <string>

#include "lockstep/data/options.h"

namespace lockstep {

// Of each of its files: name, size, time of the last change, and of a single file the first and
// last bytes too. Error (2): no such file.
std::string source_identity(const SourceOptions& source);

}  // namespace lockstep
