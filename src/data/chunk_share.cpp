#include "data/chunk_share.h"

namespace lockstep {

RowShare empty_share(const Communicator& comm, std::int64_t total, const ImageShape& shape,
                     const FileRows& rows, std::shared_ptr<const MappedRows> mapped) {
  const Range held = held_rows(total, comm.world_size(), comm.rank());
  const auto size = static_cast<std::size_t>(held.size());
  RowShare share;
  share.shape = shape;
  share.total = total;
  share.first = held.first;
  share.unlabelled = !rows.labelled;
  share.type = rows.type;
  share.values.resize(mapped ? 0 : size * rows.row_bytes());
  share.mapped = std::move(mapped);
  share.labels.resize(share.unlabelled ? 0 : size);
  share.numbers.resize(size);
  return share;
}

void keep_row(RowShare& share, std::int64_t index, const RowView& row) {
  const auto at = static_cast<std::size_t>(index);
  const auto values = row.pixels.raw();
  if (!share.mapped) {
    std::copy(values.begin(), values.end(),
              share.values.begin() + index * static_cast<std::ptrdiff_t>(values.size()));
  }
  if (!share.unlabelled) share.labels[at] = row.label;
  share.numbers[at] = row.number;
  if (!row.id.empty()) {
    share.ids.resize(share.numbers.size());
    share.ids[at] = row.id;
  }
}

}  // namespace lockstep
