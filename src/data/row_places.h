// Where the rows that a rank reads go, and to which rank.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/deal.h"
#include "data/file_rows.h"
#include "data/row_move.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/data/training_data.h"

namespace lockstep {

// The place of a row that is neither trained on nor validated.
inline constexpr std::int64_t kNowhere = -2;

// Collective. Where the rows read here go: below deal.training_rows() a training position, from
// there on a place of the validation split; kNowhere for test rows.
std::vector<std::int64_t> deal_rows(Communicator& comm, const FileRows& rows, const Deal& deal);

// Pure. The rank that owns each place: that of its lane, or of its validation chunk.
std::vector<Destination> destinations_of(std::span<const std::int64_t> places,
                                         const DataSummary& summary, int lanes, int world_size);

}  // namespace lockstep
