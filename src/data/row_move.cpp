#include "data/row_move.h"

#include <cstring>
#include <vector>

namespace lockstep {

namespace {

// A row under way is this, then its pixels.
struct RowHead {
  std::int64_t place;
  std::uint64_t number;
  std::int32_t label;
  std::int32_t unused;
};

RowView view(const FileRows& rows, std::int64_t index) {
  return {static_cast<std::uint64_t>(rows.first + index),
          rows.label(index),
          {rows.row(index), static_cast<std::size_t>(rows.pixels_per_row)}};
}

void pack(std::int64_t place, const RowView& row, std::vector<std::byte>& parcel) {
  const RowHead head{place, row.number, row.label, 0};
  const auto* bytes = reinterpret_cast<const std::byte*>(&head);
  parcel.insert(parcel.end(), bytes, bytes + sizeof(head));
  const auto pixels = std::as_bytes(row.pixels);
  parcel.insert(parcel.end(), pixels.begin(), pixels.end());
}

}  // namespace

void move_rows(Communicator& comm, const FileRows& rows, std::span<const Destination> destinations,
               const std::function<void(std::int64_t place, const RowView& row)>& keep) {
  const auto row_bytes = static_cast<std::size_t>(rows.pixels_per_row);
  const std::size_t record_bytes = sizeof(RowHead) + row_bytes;
  std::vector<std::size_t> counts(static_cast<std::size_t>(comm.world_size()), 0);
  for (const Destination& to : destinations) ++counts[static_cast<std::size_t>(to.rank)];
  std::vector<std::vector<std::byte>> parcels(counts.size());
  for (std::size_t peer = 0; peer < counts.size(); ++peer) {
    if (static_cast<int>(peer) != comm.rank()) parcels[peer].reserve(counts[peer] * record_bytes);
  }
  for (std::int64_t i = 0; i < rows.count; ++i) {
    const Destination& to = destinations[static_cast<std::size_t>(i)];
    if (to.rank == comm.rank()) {
      keep(to.place, view(rows, i));
    } else {
      pack(to.place, view(rows, i), parcels[static_cast<std::size_t>(to.rank)]);
    }
  }
  for (const auto& parcel : comm.all_to_all(std::move(parcels))) {
    for (std::size_t at = 0; at < parcel.size(); at += record_bytes) {
      RowHead head;
      std::memcpy(&head, parcel.data() + at, sizeof(head));
      const auto* pixels = reinterpret_cast<const std::uint8_t*>(parcel.data() + at + sizeof(head));
      keep(head.place, {head.number, head.label, {pixels, row_bytes}});
    }
  }
}

}  // namespace lockstep
