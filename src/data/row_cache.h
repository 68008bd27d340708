// Decoded rows, kept from one start to the next: files of rows in a folder.
#pragma once

#include <memory>

#include "data/source.h"

namespace lockstep {

// Collective: the source; in place of one whose rows must be decoded, or do not fit into memory,
// a file of its rows, which is made where there is none that fits. options.cache says where:
// AUTO is the user's folder of caches. Where the file cannot be written, a warning says so and the
// source itself is read. Errors (2, agreed) as of open_source().
std::unique_ptr<Source> open_decoded(Communicator& comm, const SourceOptions& source,
                                     const DataOptions& options, Labels labels);

}  // namespace lockstep
