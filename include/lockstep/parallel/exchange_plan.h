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

// The parts of one grouped exchange.
struct Messages {
  std::vector<Outgoing> out;
  std::vector<Incoming> in;
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
  // Partial sums to the owners of slices: this rank's, [size] each, from `values`, the
  // others' to `received`.
  Messages partial_messages(std::span<float* const> values, float* received) const;
  // Where the partial sums of this rank's slice then lie, as `program` counts them.
  std::vector<const float*> addends(std::span<float* const> values, float* received) const;
  // The slices of `sums` [size] from their owners to all.
  Messages slice_messages(float* sums) const;
};

}  // namespace lockstep
