// Runs optimizer steps: the owned lanes on this rank's workers, the sum over all
// lanes, then an update of the caller's. Owned by the training loop, one a rank.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>

#include "lockstep/comm/communicator.h"
#include "lockstep/core/batch.h"
#include "lockstep/core/share.h"
#include "lockstep/core/workers.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/model/network.h"
#include "lockstep/model/weights.h"
#include "lockstep/parallel/options.h"
#include "lockstep/parallel/step_tail.h"
#include "lockstep/parallel/step_times.h"

namespace lockstep {

// What a step found, summed over all lanes; the same on every rank.
struct StepSum {
  std::span<const float> gradients;   // [network.trainable_size()], sums over samples
  std::span<const float> statistics;  // [network.statistics_size()], times samples
  double square_norm = 0;             // of the gradients; not finite if one is not
  std::int64_t samples = 0;
  double loss_sum = 0;
  float loss_weight = 0;  // what makes sums of losses and gradients means; samples by class
  std::int64_t correct = 0;
  bool raised[kFlags] = {};  // by Flag: some rank raised it

  bool is_raised(Flag flag) const { return raised[static_cast<int>(flag)]; }
};

// Local: what the tail of the lanes' sum says.
StepSum read_tail(const float* tail);

// A gradient that is not finite.
inline constexpr int kSumOfLanes = std::numeric_limits<int>::max();
struct NonFinite {
  int lane;                // or kSumOfLanes, where those of all lanes are finite
  std::int64_t parameter;  // index in network.parameters()
};

// Local: the index of the first parameter of which `gradients` [trainable_size() at
// least] has a value that is not finite.
std::optional<std::int64_t> first_non_finite(const Network& network,
                                             std::span<const float> gradients);

// Local: of the first of `lanes` for which first(lane) gives a parameter; of
// first(kSumOfLanes) where none does.
NonFinite find_non_finite(Range lanes,
                          const std::function<std::optional<std::int64_t>(int lane)>& first);

class StepRunner {
 public:
  // Collective. `workers` and `network` must outlive the runner; of `context` the epoch is
  // left out.
  StepRunner(Communicator& comm, const Network& network, Workers& workers,
             const ParallelOptions& options, const LaneContext& context);
  ~StepRunner();

  Range owned_lanes() const;

  // Fills the batch of an owned lane; called by workers, one lane each.
  using Fill = std::function<void(int lane, Batch& batch)>;
  // Updates the share of one worker; called by every worker after the sum.
  using Update = std::function<void(const StepSum& sum, int worker)>;

  // Collective: one step of `epoch` (keys the dropout masks). What `fill` throws is
  // rethrown on its rank when the step is over; the others find a square_norm that is
  // not finite.
  StepSum run(const Weights& weights, int epoch, const Fill& fill, const Update& update);

  // Local, after a step whose square_norm is not finite: the first parameter of the
  // first owned lane whose gradient is not; of the sum where the owned lanes' all are.
  NonFinite find_non_finite() const;

  // Local: asks for something from the next step on, until lowered.
  void raise(Flag flag);
  void lower(Flag flag);

  // Local: times summed over the steps since the last call.
  StepTimes take_times();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Collective: compares all ranks' weights. Throws Error (4, agreed) that names
// the ranks and the first parameter that differ from the majority's (rank 0's
// in a tie).
void check_replicas(Communicator& comm, const Network& network, const Weights& weights);

}  // namespace lockstep
