// Decoded rows as a file: a source for training, evaluation and prediction that needs no decoding
// and may be larger than memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "lockstep/comm/communicator.h"
#include "lockstep/data/options.h"

namespace lockstep {

struct PackedRows {
  std::int64_t rows = 0;
  std::uint64_t bytes = 0;  // of the file
  std::string found;        // what was found out about the source, for one line; may be empty
};

// Collective: decodes each row of `source` once, on the rank whose part it is in, and writes them
// to `out`, in a folder that all hosts share. The file is the same at every world size. Errors
// (agreed): as of load_rows() (2); a failed write (1).
PackedRows pack(Communicator& comm, const SourceOptions& source, const DataOptions& options,
                const std::filesystem::path& out);

}  // namespace lockstep
