#include "data/chunk_share.h"

namespace lockstep {

RowShare empty_share(const Communicator& comm, std::int64_t total, const ImageShape& shape,
                     Labels labels) {
  const Range held = held_rows(total, comm.world_size(), comm.rank());
  const auto rows = static_cast<std::size_t>(held.size());
  RowShare share;
  share.shape = shape;
  share.total = total;
  share.first = held.first;
  share.unlabelled = labels == Labels::kOptional;
  share.pixels.resize(rows * static_cast<std::size_t>(shape.pixels()));
  share.labels.resize(share.unlabelled ? 0 : rows);
  share.numbers.resize(rows);
  return share;
}

void keep_row(RowShare& share, std::int64_t index, const RowView& row) {
  const auto at = static_cast<std::size_t>(index);
  std::copy(row.pixels.begin(), row.pixels.end(),
            share.pixels.begin() + index * share.shape.pixels());
  if (!share.unlabelled) share.labels[at] = row.label;
  share.numbers[at] = row.number;
}

}  // namespace lockstep
