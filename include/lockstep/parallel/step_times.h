// Where the time of training steps goes, and which rank the others wait for. Local.
#pragma once

#include <array>
#include <span>
#include <utility>

namespace lockstep {

// Of one step or of several together on one rank, in seconds, the mean over its workers.
struct StepTimes {
  double data = 0;  // forming batches
  double forward = 0;
  double backward = 0;
  double wait = 0;     // for the last lane of all ranks (of this one when sums go by messages)
  double sum = 0;      // of the lanes, all communication included
  double exposed = 0;  // part of sum: communication that no computation hides
  double hidden = 0;   // beside all these: communication while lanes were computed
  double update = 0;   // the optimizer

  StepTimes& operator+=(const StepTimes& other);
  StepTimes operator/(double divisor) const;
};

// Each time by its name: what is written of them and read again.
inline constexpr std::array<std::pair<const char*, double StepTimes::*>, 8> kTimesOfAStep = {{
    {"data", &StepTimes::data},
    {"forward", &StepTimes::forward},
    {"backward", &StepTimes::backward},
    {"wait", &StepTimes::wait},
    {"sum", &StepTimes::sum},
    {"exposed", &StepTimes::exposed},
    {"hidden", &StepTimes::hidden},
    {"update", &StepTimes::update},
}};

enum class Cause { kNone, kData, kCompute, kNetwork };

// "none", "data", "compute" or "network".
const char* name_of(Cause cause);

struct Straggler {
  int rank = 0;                // whose own work, data + forward + backward, takes longest
  double excess = 0;           // that work over the median of the ranks' work, less 1
  Cause cause = Cause::kNone;  // what the step time suffers from
};

// `by_rank`: times of the same steps, by rank, at least one. The cause is data or compute,
// the part that exceeds its own median by more seconds, where the excess is above 10 %.
// Where it is not, but no rank gets by without exposing communication of more than 10 %
// of its work, it is the network, and the rank is the one that exposes most. A rank alone
// waits for nobody.
Straggler find_straggler(std::span<const StepTimes> by_rank);

}  // namespace lockstep
