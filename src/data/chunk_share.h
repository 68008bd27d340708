// Filling a RowShare: which rank holds which rows of a split that is cut at chunk
// boundaries, and rows that arrive.
#pragma once

#include <algorithm>
#include <cstdint>

#include "data/row_move.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/core/share.h"
#include "lockstep/data/row_share.h"

namespace lockstep {

constexpr std::int64_t chunks_of(std::int64_t rows) { return (rows + kChunkRows - 1) / kChunkRows; }

// The places, among `total` rows in order, that `rank` holds.
constexpr Range held_rows(std::int64_t total, int world_size, int rank) {
  const Range chunks = share_of(chunks_of(total), world_size, rank);
  return {std::min(chunks.first * kChunkRows, total), std::min(chunks.last * kChunkRows, total)};
}

// The rank that holds the row at `place`.
constexpr int holder_of(std::int64_t total, int world_size, std::int64_t place) {
  return static_cast<int>(part_of(chunks_of(total), world_size, place / kChunkRows));
}

// Local: this rank's share of `total` rows like `rows`, with room for its own unless they are
// `mapped`.
RowShare empty_share(const Communicator& comm, std::int64_t total, const ImageShape& shape,
                     const FileRows& rows, std::shared_ptr<const MappedRows> mapped);

// Puts `row` at `index` of the rows held.
void keep_row(RowShare& share, std::int64_t index, const RowView& row);

}  // namespace lockstep
