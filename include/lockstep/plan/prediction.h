// What a training step would take on a cluster, from times measured on one process and
// a model of latency and bandwidth of the ordered sum. Local.
//
// Symbols: R ranks, p of them on a node, V lanes, T workers of a rank, P values in a
// lane's buffer of S = 4 P bytes, a the time to add one such buffer to another, k partial
// sums of a rank (most_partial_sums()).
//
//   compute   ceil(ceil(V / R) / T) passes of ceil(B / V) samples
//   update    the measured one / T
//   sum, one node    V a / (R T)
//   sum, more nodes  ceil(V / R) a / T for the rank's own lanes, then
//                    a reduce-scatter and an all-gather of slices of m = S / R bytes:
//                      reach(m) + 2 k (R - 1) o + k w,  k a for the addition,
//                      reach(m) + 2 (R - 1) o + w,  a / 2 for the norm
//     w = max((R - p) p m / bandwidth of the node's link, 2 (p - 1) m / S a): a node's ranks
//     share its link; within the node a slice is copied twice
//     reach(m) = latency, three times that where m needs a rendezvous; o = time a message
//
// All times but those on the link grow by p T / cores where a node has fewer cores than
// workers. This is the model of Hockney (1994) with the overhead o of LogP (Culler et al.
// 1993), for the two phases that Rabenseifner (2004) and Thakur et al. (2005) describe.
#pragma once

#include <cstdint>
#include <vector>

#include "lockstep/plan/link.h"

namespace lockstep {

// Of one thread on this machine.
struct MeasuredTimes {
  struct Pass {
    std::int64_t samples = 0;
    double seconds = 0;  // of a lane: batch, forward and backward
  };
  std::vector<Pass> passes;   // by samples, ascending; at least two
  double update_seconds = 0;  // of all weights
  double add_seconds = 0;     // of one lane's buffer to another
  std::int64_t values = 0;    // floats of that buffer
};

struct PlannedJob {
  std::int64_t global_batch = 1;
  int lanes = 1;
  int ranks = 1;
  int threads = 1;  // workers of a rank
};

struct PlannedNodes {
  int ranks_per_node = 1;
  int cores_per_node = 1;
  Link link;
};

struct StepPrediction {
  double compute = 0;  // seconds, as the next three
  double sum = 0;
  double update = 0;
  double step = 0;
  double images_per_second = 0;
};

// Seconds of a lane's pass: between measured ones on the straight line, beyond them on
// that of the two nearest, never below 0.
double pass_seconds(const MeasuredTimes& measured, double samples);

StepPrediction predict_step(const MeasuredTimes& measured, const PlannedJob& job,
                            const PlannedNodes& nodes);

// The smallest global batch, of those that are B 2^i, at which a rank of `job` handles at
// least `efficiency` of the images a second of a job of one rank with its global batch and
// lanes as they are in `alone`. 0 where none up to B 2^20 does.
std::int64_t efficient_batch(const MeasuredTimes& measured, const PlannedJob& alone,
                             const PlannedJob& job, const PlannedNodes& nodes, double efficiency);

}  // namespace lockstep
