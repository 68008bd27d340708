#include "data/row_move.h"

#include <cstring>
#include <vector>

namespace lockstep {

namespace {

// A row under way is this, then its pixels and its id.
struct RowHead {
  std::int64_t place;
  std::uint64_t number;
  std::int32_t label;
  std::uint32_t id_bytes;
};

// Without the pixels.
RowView view(const FileRows& rows, std::int64_t index) {
  return {static_cast<std::uint64_t>(rows.first + index),
          rows.label(index),
          {},
          rows.ids.empty() ? std::string_view() : rows.ids[static_cast<std::size_t>(index)]};
}

void pack(std::int64_t place, const RowView& row, std::vector<std::byte>& parcel) {
  const RowHead head{place, row.number, row.label, static_cast<std::uint32_t>(row.id.size())};
  const auto* bytes = reinterpret_cast<const std::byte*>(&head);
  parcel.insert(parcel.end(), bytes, bytes + sizeof(head));
  for (const auto part : {row.pixels.raw(), std::as_bytes(std::span(row.id))}) {
    parcel.insert(parcel.end(), part.begin(), part.end());
  }
}

}  // namespace

void move_rows(Communicator& comm, const FileRows& rows, std::span<const Destination> destinations,
               MovedPixels pixels,
               const std::function<void(std::int64_t place, const RowView& row)>& keep) {
  const bool in_file = rows.file != nullptr;
  const std::size_t moved_bytes = in_file ? 0 : rows.row_bytes();
  const auto keep_found = [&](std::int64_t place, RowView row) {
    if (in_file && pixels == MovedPixels::kFound) row.pixels = rows.row_in_file(row.number);
    keep(place, row);
  };
  std::vector<std::size_t> bytes(static_cast<std::size_t>(comm.world_size()), 0);
  for (std::size_t i = 0; i < destinations.size(); ++i) {
    const int rank = destinations[i].rank;
    if (rank == kDropped || rank == comm.rank()) continue;
    bytes[static_cast<std::size_t>(rank)] +=
        sizeof(RowHead) + moved_bytes + (rows.ids.empty() ? 0 : rows.ids[i].size());
  }
  std::vector<std::vector<std::byte>> parcels(bytes.size());
  for (std::size_t peer = 0; peer < bytes.size(); ++peer) parcels[peer].reserve(bytes[peer]);
  for (std::int64_t i = 0; i < rows.count; ++i) {
    const Destination& to = destinations[static_cast<std::size_t>(i)];
    if (to.rank == kDropped) continue;
    RowView row = view(rows, i);
    if (!in_file) row.pixels = rows.row(i);
    if (to.rank == comm.rank()) {
      keep_found(to.place, row);
    } else {
      pack(to.place, row, parcels[static_cast<std::size_t>(to.rank)]);
    }
  }
  for (const auto& parcel : comm.all_to_all(std::move(parcels))) {
    for (std::size_t at = 0; at < parcel.size();) {
      RowHead head;
      std::memcpy(&head, parcel.data() + at, sizeof(head));
      const std::byte* const moved = parcel.data() + at + sizeof(head);
      const std::byte* const id = moved + moved_bytes;
      RowView row{head.number, head.label, {}, {reinterpret_cast<const char*>(id), head.id_bytes}};
      if (!in_file) row.pixels = {rows.type, moved, static_cast<std::size_t>(rows.pixels_per_row)};
      keep_found(head.place, row);
      at += sizeof(head) + moved_bytes + head.id_bytes;
    }
  }
}

}  // namespace lockstep
