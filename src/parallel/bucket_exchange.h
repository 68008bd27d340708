// The exchange of one bucket's elements between members, as a plan says, moved on step by step
// while the caller does other work. Owned by the sum, used by the rank's main thread alone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lockstep/comm/communicator.h"
#include "lockstep/parallel/exchange_plan.h"
#include "lockstep/parallel/options.h"

namespace lockstep {

class BucketExchange {
 public:
  // Local: of `rounds`, whose peers are members; ranks[member] takes part in it. Values are sent
  // as `wire`. `tag` is the exchange's own.
  BucketExchange(Communicator& comm, std::vector<PlannedRound> rounds, std::span<const int> ranks,
                 Wire wire, int tag);

  // Begins; the partial sums are complete. Local.
  void start();
  // Moves on as far as that goes without waiting; whether the sums are complete. Local.
  bool advance();

 private:
  // Values and, where they travel as bf16, the memory for that.
  struct Packed {
    std::span<float> values;
    std::unique_ptr<std::uint16_t[]> bits;
  };
  struct Round {
    std::vector<PlannedRound::Addition> additions;
    std::unique_ptr<StandingExchange> out;
    std::unique_ptr<StandingExchange> in;
    std::vector<Packed> sent = {};
    std::vector<Packed> received = {};
  };
  void begin_round();
  void end_round();

  Wire wire_;
  std::vector<Round> rounds_;
  std::size_t round_ = 0;
  std::size_t sent_ = 0;  // rounds of which all is sent
  bool is_under_way_ = false;
};

}  // namespace lockstep
