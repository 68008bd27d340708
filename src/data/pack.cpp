#include "lockstep/data/pack.h"

#include <algorithm>

#include "data/pack_rows.h"
#include "data/residence.h"
#include "data/rows_file.h"
#include "data/source_identity.h"
#include "lockstep/core/error.h"

namespace lockstep {

PackedRows pack(Communicator& comm, const SourceOptions& source, const DataOptions& given,
                const fs::path& out) {
  DataOptions options = given;
  options.classes = 0;  // labels stay those of the source, whatever classes they make
  const auto opened = open_source(comm, source);
  std::string identity;
  comm.begin_long_work("looking at the data", 0);
  agree(comm, [&] {
    if (comm.rank() == 0) identity = source_identity(source);
  });
  identity = broadcast_text(comm, identity, 0);
  PackedRows packed;
  const std::uint64_t memory = agreed_round_bytes(comm);
  packed.rows =
      pack_rows(comm, *opened, options, Labels::kOptional, {out, identity, Synced::kYes, memory});
  agree(comm, [&] {
    packed.bytes = file_bytes(out);
    packed.found = opened->look(options, Labels::kOptional).found;
  });
  return packed;
}

}  // namespace lockstep
