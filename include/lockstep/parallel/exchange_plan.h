// How ranks sum their lanes along the tree by messages: the owner of each slice of the
// elements gets all ranks' partial sums of it, adds them in tree order and sends the slice
// to all. One plan for hosts and for GPUs, which carry it out in memory of their own. Plain
// values, a pure function of the numbers; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/comm/transport.h"
#include "lockstep/core/share.h"

namespace lockstep {

// What a rank's plan moves and adds in its memory.
struct PlannedExchange {
  std::vector<Outgoing> partials_out;  // first
  std::vector<Incoming> partials_in;
  std::vector<const float*> addends;  // then: what ExchangePlan::program adds, by its numbers
  float* sum;                         // the rank's slice, which they add to
  std::vector<Outgoing> slices_out;   // last
  std::vector<Incoming> slices_in;
};

struct ExchangePlan {
  // Of `rank` among `ranks`, for lanes of `size` floats.
  ExchangePlan(int lanes, std::int64_t size, int ranks, int rank);

  int rank;
  Range lanes;  // that this rank computes
  // How this rank adds its partial sums, the fewest that the tree has complete within its
  // lanes: programs (lane_tree.h) over them, from its first. One of a single step is a lane.
  std::vector<std::vector<int>> partials;
  std::vector<Range> slices;  // of [0, size), by the rank that owns them
  std::vector<int> senders;   // of the partial sums of a slice, by rank
  std::vector<int> program;   // how the owner of a slice adds them

  Range slice() const { return slices[static_cast<std::size_t>(rank)]; }

  // Floats that the others' partial sums of this rank's slice take.
  std::int64_t received_size() const;
  // With this rank's partial sums in `values`, [size] each, the others' of its slice in
  // `received`, and the result in `sums` [size].
  PlannedExchange exchange(std::span<float* const> values, float* received, float* sums) const;
};

}  // namespace lockstep
