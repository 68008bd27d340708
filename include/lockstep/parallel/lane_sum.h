// The sum over lanes of one flat buffer a lane: gradients, statistics, counts.
//
// Ordered: every element is added along one binary tree over lane numbers,
// whatever the ranks. The node at level k, index j covers the lanes
// [j 2^k, (j + 1) 2^k) that exist; its value is its left child's plus its right
// child's, or the left child's where the right one covers no lane. So the bits of
// the result depend on the lanes alone.
//
// Owned by the step runner; each rank owns a lane at least. lane() is filled by one worker each;
// run() is called by every worker of every rank once a step. A lane may be filled bucket by bucket:
// what is written in all lanes travels between nodes while the rest is still computed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lockstep/comm/communicator.h"
#include "lockstep/core/share.h"
#include "lockstep/parallel/options.h"

namespace lockstep {

struct LaneSumShape {
  int lanes = 1;
  std::int64_t size = 0;            // floats of a lane's buffer
  std::int64_t normed_size = 0;     // of which the first ones, gradients, enter square_norm()
  int workers = 1;                  // of this rank
  std::vector<Range> buckets = {};  // of the elements, as they are written; none: gradients, others
  Wire wire = Wire::kFp32;          // of gradients; a bucket has them alone, or none
};

// How the ordered sum moves data.
enum class Route {
  kAuto,      // shared memory when all ranks are on one node, messages otherwise
  kMessages,  // messages in any case
};

// Where a worker's time in run() went, in seconds.
struct SumTimes {
  double wait = 0;     // until the last worker of all ranks (or of this one) was there
  double sum = 0;      // adding and moving
  double exposed = 0;  // of which moving, and waiting for others to add or move
  double hidden = 0;   // moving before run(), while lanes were computed
};

class LaneSum {
 public:
  virtual ~LaneSum() = default;

  // Local: the buffer [size] of a lane that this rank owns, share_of(lanes,
  // world_size, rank); zero at first, 64-byte aligned. To be written before run().
  virtual std::span<float> lane(int lane) = 0;

  // Local, once a step for each owned lane and bucket: the lane's elements of it are written
  // and left alone until the end of run().
  virtual void is_written(int bucket) = 0;

  // Local, by any worker between pieces of its work: does what the sum can do now, which
  // is little at a time. What fails is thrown by run().
  virtual void progress(int worker) = 0;

  // Collective, by every worker of this rank, worker in [0, workers); worker 0
  // must be the rank's main thread. Returns when values() is complete.
  virtual SumTimes run(int worker) = 0;

  // Local: the sums [size]; valid from the end of run() until the next step's lanes are written.
  virtual std::span<const float> values() const = 0;

  // Local: the sum of squares of the first normed_size values, in double, blocks
  // of kNormBlock added in order; not finite when one of the values is not.
  virtual double square_norm() const = 0;
};

inline constexpr std::int64_t kNormBlock = 4096;

// Collective.
std::unique_ptr<LaneSum> make_lane_sum(Communicator& comm, const LaneSumShape& shape,
                                       Reduction reduction, Route route = Route::kAuto);

// Collective. The memory that this rank gives to such a sum by Route::kAuto, in bytes: its lanes,
// on the first rank of a node the result, and between nodes its part of what is sent and got.
std::int64_t lane_sum_bytes(Communicator& comm, const LaneSumShape& shape, Reduction reduction);

}  // namespace lockstep
