#include "data/file_rows.h"

#include "data/source_format.h"

namespace lockstep {

FileRows read_rows(Communicator& comm, const SourceOptions& source, const DataOptions& options,
                   Labels labels) {
  const SourceFiles files(comm, source);
  FileRows rows = read_part(comm, files, options, labels, {comm.rank(), comm.world_size()});
  rows.first = exclusive_scan(comm, rows.count);
  rows.total = rows.count;
  comm.sum(std::span(&rows.total, 1));
  return rows;
}

}  // namespace lockstep
