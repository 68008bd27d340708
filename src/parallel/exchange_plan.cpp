#include "lockstep/parallel/exchange_plan.h"

#include <algorithm>

#include "lockstep/parallel/lane_tree.h"

namespace lockstep {

namespace {

constexpr std::int64_t kGrain = 64;  // floats: slices begin at multiples of 256 bytes

std::span<float> part(float* values, Range range) {
  return {values + range.first, static_cast<std::size_t>(range.size())};
}

}  // namespace

ExchangePlan::ExchangePlan(int lane_count, std::int64_t size, int ranks, int own_rank)
    : rank(own_rank), lanes(share_of(lane_count, ranks, own_rank)) {
  const LaneTree tree(lane_count);
  const std::int64_t grains = (size + kGrain - 1) / kGrain;
  std::vector<LaneNode> known;
  for (int each = 0; each < ranks; ++each) {
    const Range share = share_of(grains, ranks, each);
    slices.push_back({std::min(share.first * kGrain, size), std::min(share.last * kGrain, size)});
    for (const LaneNode& node : tree.complete_nodes(share_of(lane_count, ranks, each))) {
      known.push_back(node);
      senders.push_back(each);
      if (each == rank) partials.push_back(postfix(tree, node, leaves(lanes)));
    }
  }
  program = postfix(tree, tree.root(), known);
}

std::int64_t ExchangePlan::received_size() const {
  return static_cast<std::int64_t>(senders.size() - partials.size()) * slice().size();
}

PlannedExchange ExchangePlan::exchange(std::span<float* const> values, float* received,
                                       float* sums) const {
  PlannedExchange plan{{}, {}, {}, sums + slice().first, {}, {}};
  for (int peer = 0; peer < static_cast<int>(slices.size()); ++peer) {
    if (peer == rank) continue;
    const Range theirs = slices[static_cast<std::size_t>(peer)];
    for (float* each : values)
      plan.partials_out.push_back({peer, std::as_bytes(part(each, theirs))});
    plan.slices_out.push_back({peer, std::as_bytes(part(sums, slice()))});
    plan.slices_in.push_back({peer, std::as_writable_bytes(part(sums, theirs))});
  }
  auto own = values.begin();
  for (const int sender : senders) {
    plan.addends.push_back(sender == rank ? *own++ + slice().first : received);
    if (sender == rank) continue;
    const std::span<float> place = part(received, {0, slice().size()});
    plan.partials_in.push_back({sender, std::as_writable_bytes(place)});
    received += slice().size();
  }
  return plan;
}

}  // namespace lockstep
