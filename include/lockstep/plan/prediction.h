// What a training step would take on a cluster, from times measured on one process and
// a model of latency and bandwidth of the ordered sum. Local.
//
// Symbols: N nodes, R ranks, p of them on a node, V lanes, T workers of a rank, P values in a
// lane's buffer of S = 4 P bytes, a the time to add one such buffer to another.
//
//   compute   ceil(ceil(V / R) / T) passes of ceil(B / V) samples
//   update    the measured one / T
//   sum, one node    V a / (R T)
//   sum, more nodes  V a / (R T) for the node's lanes, o for each message, the additions
//                    between nodes, a / (2 p T) for the norm, and what is exposed
//   exposed          what of the exchange is left when the last pass is over
//
// The exchange is that of ExchangePlan, for each bucket of gradients: it begins when the last
// pass has written it (`ready`), takes its turn on the node's link for its bytes there, and a
// latency a round, three times that where a message needs a rendezvous. o is the time that a
// message and its bytes take of a rank.
//
// All times but those on the link grow by p T / cores where a node has fewer cores than
// workers. This is the model of Hockney (1994) with the overhead o of LogP (Culler et al.
// 1993), for halving and doubling as Thakur, Rabenseifner and Gropp (2005) describe it.
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
  // Of the lane's buffer, in the order in which they are summed between nodes.
  struct Bucket {
    std::int64_t values = 0;
    double ready = 1;  // part of the pass after which it is written
    int value_bytes = 4;
  };
  std::vector<Pass> passes;  // by samples, ascending; at least two
  std::vector<Bucket> buckets;
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
  double compute = 0;  // seconds, as the next four
  double sum = 0;
  double exposed = 0;  // part of sum: communication that no computation hides
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
