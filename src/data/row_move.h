// Rows on their way from the rank that read them to the rank that keeps them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "data/file_rows.h"
#include "lockstep/comm/communicator.h"

namespace lockstep {

struct Destination {
  int rank;
  std::int64_t place;  // whatever `keep` wants to know
};

struct RowView {
  std::uint64_t number;  // in the source, from 0
  std::int32_t label;    // 0 for unlabelled rows
  PixelView pixels;
  std::string_view id;  // empty where the source has none
};

// In place of a rank: the row goes nowhere.
inline constexpr int kDropped = -1;

// Whether a row's pixels travel with it; those of a file of rows are found there by each rank.
enum class MovedPixels { kFound, kNotAsked };

// Collective: row i of `rows` goes to destinations[i], and `keep` is called there,
// once a row, in no particular order. A rank's own rows are not copied on the way. kNotAsked is
// for rows of a file alone: `pixels` is empty then.
void move_rows(Communicator& comm, const FileRows& rows, std::span<const Destination> destinations,
               MovedPixels pixels,
               const std::function<void(std::int64_t place, const RowView& row)>& keep);

}  // namespace lockstep
