#include "parallel/bucket_exchange.h"

#include <utility>

#include "lockstep/parallel/lane_tree.h"

namespace lockstep {

BucketExchange::BucketExchange(Communicator& comm, std::vector<PlannedRound> rounds,
                               std::span<const int> ranks, int tag) {
  for (PlannedRound& round : rounds) {
    for (Outgoing& each : round.out) each.peer = ranks[static_cast<std::size_t>(each.peer)];
    for (Incoming& each : round.in) each.peer = ranks[static_cast<std::size_t>(each.peer)];
    rounds_.push_back({std::move(round.additions), comm.prepare(round.out, {}, tag),
                       comm.prepare({}, round.in, tag)});
  }
}

// All rounds' receives are there before the first message is.
void BucketExchange::start() {
  is_under_way_ = true;
  round_ = 0;
  sent_ = 0;
  for (const Round& round : rounds_) round.in->start();
  if (!rounds_.empty()) begin_round();
}

void BucketExchange::begin_round() {
  const Round& round = rounds_[round_];
  for (const PlannedRound::Addition& each : round.additions) {
    add_along_tree(each.program, each.addends, {0, each.count}, each.sum);
  }
  round.out->start();
}

bool BucketExchange::advance() {
  if (!is_under_way_) return true;
  while (round_ < rounds_.size() && rounds_[round_].in->is_done()) {
    if (++round_ < rounds_.size()) begin_round();
  }
  while (sent_ < round_ && rounds_[sent_].out->is_done()) ++sent_;
  is_under_way_ = sent_ < rounds_.size();
  return !is_under_way_;
}

}  // namespace lockstep
