// Writing a source's rows to a file of rows.
#pragma once

#include <string>

#include "data/source.h"
#include "lockstep/core/placed_file.h"

namespace lockstep {

// How a file of rows is made: beside the rows, what a later reader wants to know.
struct PackedFileOptions {
  fs::path path;
  std::string source_digest;
  Synced synced = Synced::kYes;
  std::uint64_t most_bytes = 0;  // of rows that a rank holds at a time
};

// Collective: decodes each row once, by the rank whose part of the source it is in, in as many
// rounds as memory wants. Its bytes do not depend on ranks and rounds. Gives the rows' number.
std::int64_t pack_rows(Communicator& comm, const Source& source, const DataOptions& options,
                       Labels labels, const PackedFileOptions& file);

// Local: about the bytes that a source's rows take once they are read.
std::uint64_t estimated_bytes(const Source& source, const Look& look);

}  // namespace lockstep
