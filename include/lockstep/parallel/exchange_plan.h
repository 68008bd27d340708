// How members sum their lanes along the tree by messages. A member is what has memory of its
// own: a node, whose ranks share theirs, a rank alone, or a GPU. Plain values, a pure function
// of the numbers; any thread.
//
// The elements are cut into slices, each finished by one member. Where a node of the tree has
// its children at different members, the value of one travels to the other: as few values as
// the tree allows, found from the leaves to the root. A value goes in the round of its node's
// level; then the sums go back the way that the values came. Where the members' lanes are whole
// subtrees of equal size, that is recursive halving, the nearest first, and doubling: each
// member sends and receives (N - 1) / N of the elements twice in 2 log2 N messages (Thakur,
// Rabenseifner and Gropp 2005, section 4.4), but along the tree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/comm/transport.h"
#include "lockstep/core/share.h"

namespace lockstep {

// Part `index` of `parts` of some elements, cut at multiples of 256 bytes from the first.
Range share_of_elements(Range elements, std::int64_t parts, std::int64_t index);

// The member that owns each lane, where rank r belongs to members_by_rank[r].
std::vector<int> owners_of_lanes(int lanes, std::span<const int> members_by_rank);

// What a member does in one round with its memory: first it adds, then it sends and receives.
struct PlannedRound {
  struct Addition {
    std::vector<int> program;  // (lane_tree.h) over the addends
    std::vector<const float*> addends;
    Range elements;  // counted from the first of those that the rounds are for
    float* sum;      // of the first of them
  };
  std::vector<Addition> additions;
  std::vector<Outgoing> out;  // peers are members
  std::vector<Incoming> in;
};

// The values of a planned message.
inline std::span<float> floats_of(std::span<const std::byte> data) {
  auto* const first = reinterpret_cast<const float*>(data.data());
  return {const_cast<float*>(first), data.size() / sizeof(float)};
}

struct ExchangePlan {
  // Of `member` of [0, members), for the lanes that owners[lane] owns.
  ExchangePlan(std::span<const int> owners, int members, int member);

  // Values of a member are numbered: its partial sums, then `stored`.
  static constexpr int kResult = -1;
  struct Message {
    int peer;
    Range slices;
    int value;  // or kResult
  };
  struct Addition {
    std::vector<int> program;  // over the addends
    std::vector<int> addends;  // values
    Range slices;
    int sum;  // a value, or kResult
  };
  struct Round {
    std::vector<Addition> additions;
    std::vector<Message> out;
    std::vector<Message> in;
  };

  std::vector<std::int64_t> lanes;  // of this member
  // How it adds its partial sums, the fewest that the tree has complete within its lanes:
  // programs (lane_tree.h) over them. One of a single step is a lane.
  std::vector<std::vector<int>> partials;
  int slices = 1;             // of the elements, equal parts
  std::vector<Range> stored;  // the slices of each value that it receives, or adds to send it
  std::vector<Round> rounds;

  // Floats that its stored values of `elements` take.
  std::int64_t stored_size(Range elements) const;
  // The rounds for `elements` of the lanes. Its partial sums, `sums`: from elements.first on;
  // `storage` has stored_size().
  std::vector<PlannedRound> bind(Range elements, std::span<float* const> partial_sums,
                                 float* storage, float* sums) const;

 private:
  // Counted from the first of `elements`.
  Range elements_of(Range slices_of_part, Range elements) const;
};

}  // namespace lockstep
