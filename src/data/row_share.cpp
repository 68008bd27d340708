#include "lockstep/data/row_share.h"

#include "data/chunk_share.h"
#include "data/row_move.h"
#include "data/source_format.h"

namespace lockstep {

RowShare load_rows(Communicator& comm, const SourceOptions& source, const DataOptions& options,
                   Labels labels) {
  const FileRows rows = read_rows(comm, source, options, labels);
  RowShare share = empty_share(comm, rows.total, options.shape,
                               rows.labelled ? Labels::kRequired : Labels::kOptional);
  std::vector<Destination> destinations;
  destinations.reserve(static_cast<std::size_t>(rows.count));
  for (std::int64_t number = rows.first; number < rows.first + rows.count; ++number) {
    destinations.push_back({holder_of(rows.total, comm.world_size(), number), number});
  }
  move_rows(comm, rows, destinations, [&](std::int64_t number, const RowView& row) {
    keep_row(share, number - share.first, row);
  });
  return share;
}

}  // namespace lockstep
