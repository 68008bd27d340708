// Whether rows look as if their pixels were laid out otherwise than they are read: images are
// smooth, and a wrong layout tears neighbours apart.
#pragma once

#include <string>

#include "data/file_rows.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/data/options.h"

namespace lockstep {

// Collective: what another layout says for itself by a clear margin over some 1,000 of the
// ranks' rows; empty where none does. Square images of one channel have no other layout that
// could be told: transposed ones are as smooth.
std::string layout_doubt(Communicator& comm, const FileRows& rows, const DataOptions& options);

}  // namespace lockstep
