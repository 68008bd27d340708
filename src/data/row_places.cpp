#include "data/row_places.h"

#include "data/chunk_share.h"
#include "lockstep/core/share.h"

namespace lockstep {

std::vector<std::int64_t> deal_rows(Communicator& comm, const FileRows& rows, const Deal& deal) {
  constexpr std::int64_t kToValidation = -1;
  const auto is_dealt = [&](std::int64_t i) { return rows.use(i) == RowUse::kTraining; };
  std::vector<std::int64_t> in_group(deal.groups(), 0);
  for (std::int64_t i = 0; i < rows.count; ++i) {
    if (is_dealt(i)) ++in_group[deal.group_of(rows.label(i))];
  }
  const std::vector<std::int64_t> before = exclusive_scan(comm, in_group);
  std::vector<std::vector<std::int64_t>> positions;  // of the rows read here, by group
  for (std::size_t group = 0; group < in_group.size(); ++group) {
    positions.push_back(deal.positions(group, {before[group], before[group] + in_group[group]}));
    in_group[group] = 0;
  }
  std::vector<std::int64_t> places(static_cast<std::size_t>(rows.count), kNowhere);
  std::int64_t validation_rows = 0;
  for (std::int64_t i = 0; i < rows.count; ++i) {
    std::int64_t& place = places[static_cast<std::size_t>(i)];
    const std::size_t group = deal.group_of(rows.label(i));
    if (is_dealt(i)) place = positions[group][static_cast<std::size_t>(in_group[group]++)];
    if (rows.use(i) == RowUse::kValidation || (is_dealt(i) && place < 0)) {
      place = kToValidation;
      ++validation_rows;
    }
  }
  std::int64_t next = deal.training_rows() + exclusive_scan(comm, validation_rows);
  for (std::int64_t& place : places) {
    if (place == kToValidation) place = next++;
  }
  return places;
}

std::vector<Destination> destinations_of(std::span<const std::int64_t> places,
                                         const DataSummary& summary, int lanes, int world_size) {
  std::vector<Destination> destinations;
  destinations.reserve(places.size());
  for (const std::int64_t place : places) {
    const std::int64_t validation_place = place - summary.training_rows;
    int rank = kDropped;
    if (validation_place >= 0) {
      rank = holder_of(summary.validation_rows, world_size, validation_place);
    } else if (place != kNowhere) {
      rank = static_cast<int>(part_of(lanes, world_size, place % lanes));
    }
    destinations.push_back({rank, place});
  }
  return destinations;
}

}  // namespace lockstep
