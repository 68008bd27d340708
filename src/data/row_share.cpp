#include "lockstep/data/row_share.h"

#include "data/chunk_share.h"
#include "data/row_move.h"
#include "data/source.h"

namespace lockstep {

namespace {

// Collective: the places of the rows of `use` among all such rows in the source's order, below
// 0 for other rows; all rows where none are of it.
std::vector<std::int64_t> places_of_use(Communicator& comm, const FileRows& rows, RowUse use,
                                        std::int64_t& total) {
  std::vector<std::int64_t> places(static_cast<std::size_t>(rows.count), -1);
  total = std::count(rows.uses.begin(), rows.uses.end(), use);
  const std::int64_t before = exclusive_scan(comm, total);
  std::int64_t next = before;
  comm.sum(std::span(&total, 1));
  const bool all = total == 0;
  if (all) {
    total = rows.total;
    next = rows.first;
  }
  for (std::int64_t i = 0; i < rows.count; ++i) {
    if (all || rows.use(i) == use) places[static_cast<std::size_t>(i)] = next++;
  }
  return places;
}

}  // namespace

RowShare load_rows(Communicator& comm, const SourceOptions& source, const DataOptions& options,
                   Labels labels) {
  const FileRows rows = read_rows(comm, source, options, labels, Classes::kKnown).rows;
  std::int64_t total = 0;
  const std::vector<std::int64_t> places = places_of_use(comm, rows, RowUse::kTest, total);
  RowShare share = empty_share(comm, total, options.shape, rows);
  std::vector<Destination> destinations;
  destinations.reserve(places.size());
  for (const std::int64_t place : places) {
    destinations.push_back(
        {place < 0 ? kDropped : holder_of(total, comm.world_size(), place), place});
  }
  move_rows(comm, rows, destinations, [&](std::int64_t place, const RowView& row) {
    keep_row(share, place - share.first, row);
  });
  return share;
}

}  // namespace lockstep
