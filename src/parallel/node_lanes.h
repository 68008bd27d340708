// Memory of a sum over lanes that the ranks of a node share: the lanes' buffers, and on the
// node's first rank the result, its squares and what workers count. Also the rank's own, where
// ranks are summed as if each were alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lockstep/comm/communicator.h"
#include "lockstep/comm/node_barrier.h"
#include "lockstep/core/share.h"
#include "lockstep/parallel/lane_sum.h"

namespace lockstep {

// Who shares memory.
enum class Sharing { kNode, kNone };

class NodeLanes {
 public:
  // Collective. `counters` of the node's, zero at first.
  NodeLanes(Communicator& comm, const LaneSumShape& shape, Sharing sharing, int counters);

  // The ranks that share it, by place, and the workers of them all.
  const std::vector<int>& ranks() const { return ranks_; }
  int place() const { return place_; }
  int workers() const { return workers_; }
  // This rank's first among those workers.
  int first_worker() const { return first_worker_; }

  // By lane; null where it is another node's.
  std::span<float* const> lanes() const { return lanes_; }
  // The buffer of a lane of this rank.
  std::span<float> lane(int lane) const;
  float* result() const { return result_; }
  std::atomic<std::int64_t>& counter(int index) const { return counters_[index]; }

  // By every worker of the ranks that share it: returns when all have called it.
  void meet() const { barrier_->arrive_and_wait(static_cast<std::uint32_t>(workers_)); }

  // Local: squares of the blocks of `range` of the result, which is cut at multiples of
  // kNormBlock; then, when all have written theirs, the sum.
  void write_squares(Range range) const;
  double square_norm() const;
  // The part of the elements of a worker of them all.
  Range share_of_worker(int worker) const;

 private:
  LaneSumShape shape_;
  int world_size_;
  int rank_;
  int counter_count_;
  std::vector<int> ranks_;
  int place_ = 0;
  int workers_ = 0;
  int first_worker_ = 0;
  std::int64_t lane_floats_;  // of a lane's buffer, rounded up to cache lines
  std::unique_ptr<SharedWindow> window_;
  std::vector<float*> lanes_;
  NodeBarrier* barrier_ = nullptr;
  std::atomic<std::int64_t>* counters_ = nullptr;
  float* result_ = nullptr;
  double* squares_ = nullptr;
};

}  // namespace lockstep
