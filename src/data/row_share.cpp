#include "lockstep/data/row_share.h"

#include "data/chunk_share.h"
#include "data/residence.h"
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

// Chunks follow each other, so the ones behind this one can be on their way from the disk.
void expect_rows(const RowShare& share, Range rows) {
  const std::int64_t count = rows.size();
  const std::int64_t ahead = share.mapped->steps_ahead(count) * count;
  const std::int64_t first = rows.first == 0 ? rows.last : rows.first + ahead;
  const auto place = [&](std::int64_t index) {
    return share.numbers.begin() + std::min(index, share.size());
  };
  share.mapped->expect({place(first), place(rows.last + ahead)});
}

}  // namespace

HeldPixels RowShare::pixels(Range rows) const {
  const auto each = static_cast<std::size_t>(shape.pixels());
  const auto count = static_cast<std::size_t>(rows.size());
  if (!mapped) {
    return HeldPixels(PixelView(type, values.data(), static_cast<std::size_t>(size()) * each)
                          .part(static_cast<std::size_t>(rows.first) * each, count * each));
  }
  if (count > 1) expect_rows(*this, rows);
  std::vector<std::byte> found;
  found.reserve(count * each * bytes_of(type));
  for (std::int64_t row = rows.first; row < rows.last; ++row) {
    const auto raw = mapped->row(numbers[static_cast<std::size_t>(row)]).raw();
    found.insert(found.end(), raw.begin(), raw.end());
  }
  mapped->give_back({numbers.begin() + rows.first, numbers.begin() + rows.last});
  return {type, std::move(found)};
}

RowShare load_rows(Communicator& comm, const SourceOptions& source, const DataOptions& options,
                   Labels labels) {
  const FileRows rows = read_rows(comm, source, options, labels, Classes::kKnown).rows;
  std::int64_t total = 0;
  const std::vector<std::int64_t> places = places_of_use(comm, rows, RowUse::kTest, total);
  RowShare share;
  agree(comm, [&] {
    const Range held = held_rows(total, comm.world_size(), comm.rank());
    const auto bytes = static_cast<std::uint64_t>(held.size()) * rows.row_bytes();
    share = empty_share(comm, total, options.shape, rows, stay_in_file(comm, rows, bytes));
  });
  std::vector<Destination> destinations;
  destinations.reserve(places.size());
  for (const std::int64_t place : places) {
    destinations.push_back(
        {place < 0 ? kDropped : holder_of(total, comm.world_size(), place), place});
  }
  const auto keep = [&](std::int64_t place, const RowView& row) {
    keep_row(share, place - share.first, row);
  };
  move_rows(comm, rows, destinations, share.mapped ? MovedPixels::kNotAsked : MovedPixels::kFound,
            keep);
  return share;
}

}  // namespace lockstep
