#include "parallel/bucket_exchange.h"

#include <utility>

#include "lockstep/parallel/lane_tree.h"

namespace lockstep {

BucketExchange::BucketExchange(Communicator& comm, std::vector<PlannedRound> rounds,
                               std::span<const int> ranks, Wire wire, int tag)
    : wire_(wire) {
  const auto as_sent = [&](auto& messages, std::vector<Packed>& packed) {
    for (auto& each : messages) {
      each.peer = ranks[static_cast<std::size_t>(each.peer)];
      if (wire == Wire::kFp32) continue;
      const std::span<float> values = floats_of(each.data);
      packed.push_back({values, std::make_unique<std::uint16_t[]>(values.size())});
      const auto& bits = packed.back().bits;
      each.data = std::as_writable_bytes(std::span(bits.get(), values.size()));
    }
  };
  for (PlannedRound& round : rounds) {
    Round& made = rounds_.emplace_back();
    as_sent(round.out, made.sent);
    as_sent(round.in, made.received);
    made.additions = std::move(round.additions);
    made.out = comm.prepare(round.out, {}, tag);
    made.in = comm.prepare({}, round.in, tag);
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
    add_along_tree(each.program, each.addends, {0, each.elements.size()}, each.sum, wire_);
  }
  for (const Packed& each : round.sent) pack(each.values, each.bits.get());
  round.out->start();
}

void BucketExchange::end_round() {
  for (const Packed& each : rounds_[round_].received) unpack(each.bits.get(), each.values);
  ++round_;
}

bool BucketExchange::advance() {
  if (!is_under_way_) return true;
  while (round_ < rounds_.size() && rounds_[round_].in->is_done()) {
    end_round();
    if (round_ < rounds_.size()) begin_round();
  }
  while (sent_ < round_ && rounds_[sent_].out->is_done()) ++sent_;
  is_under_way_ = sent_ < rounds_.size();
  return !is_under_way_;
}

}  // namespace lockstep
