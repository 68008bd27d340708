// The exchange of one bucket's elements between members, as a plan says, moved on step by step
// while the caller does other work. Owned by the sum, used by the rank's main thread alone.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "lockstep/comm/communicator.h"
#include "lockstep/parallel/exchange_plan.h"

namespace lockstep {

class BucketExchange {
 public:
  // Local: of `rounds`, whose peers are members; ranks[member] takes part in it. `tag` is the
  // exchange's own.
  BucketExchange(Communicator& comm, std::vector<PlannedRound> rounds, std::span<const int> ranks,
                 int tag);

  // Begins; the partial sums are complete. Local.
  void start();
  // Moves on as far as that goes without waiting; whether the sums are complete. Local.
  bool advance();

  bool is_under_way() const { return is_under_way_; }

 private:
  struct Round {
    std::vector<PlannedRound::Addition> additions;
    std::unique_ptr<StandingExchange> out;
    std::unique_ptr<StandingExchange> in;
  };
  void begin_round();

  std::vector<Round> rounds_;
  std::size_t round_ = 0;
  std::size_t sent_ = 0;  // rounds of which all is sent
  bool is_under_way_ = false;
};

}  // namespace lockstep
