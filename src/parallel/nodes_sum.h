// The ordered sum between nodes: the ranks of a node add its lanes in shared memory, each rank
// its part of the elements, and exchange that part with the ranks that have the same one on the
// other nodes. A node sends and receives each element as often as ExchangePlan says, however
// many ranks it has. Bucket by bucket, while the backward pass writes the others.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <vector>

#include "lockstep/parallel/lane_sum.h"
#include "parallel/bucket_exchange.h"
#include "parallel/node_lanes.h"

namespace lockstep {

class NodesSum final : public LaneSum {
 public:
  // Collective.
  NodesSum(Communicator& comm, const LaneSumShape& shape, Sharing sharing);

  // Collective: of partial sums and messages of this rank, where the ranks of a node share memory.
  static std::int64_t floats_of_parts(Communicator& comm, const LaneSumShape& shape);

  std::span<float> lane(int lane) override { return node_.lane(lane); }
  void is_written(int bucket) override;
  void progress(int worker) override;
  SumTimes run(int worker) override;
  std::span<const float> values() const override {
    return {node_.result(), static_cast<std::size_t>(shape_.size)};
  }
  double square_norm() const override { return node_.square_norm(); }

 private:
  using Clock = std::chrono::steady_clock;

  // This rank's part of a bucket on one rail.
  struct Part {
    int bucket;
    Range elements;
    Wire wire;
    std::vector<float*> partials;  // from elements.first on
    std::vector<float> storage;    // of partial sums, and of what the exchange stores
    std::unique_ptr<BucketExchange> exchange;
    std::int64_t blocks;
    std::atomic<std::int64_t> next_block{0};
    std::atomic<std::int64_t> added_blocks{0};
    bool is_started = false;
  };

  void make_part(int bucket, Range elements, std::span<const int> ranks_of_members, int tag);
  bool is_complete(int bucket) const;
  bool add_block(Part& part);
  bool is_added() const;
  void exchange();
  bool advance_parts();
  void finish_parts(int worker, Clock::time_point& complete, Clock::time_point& added);
  void prepare_next();

  Communicator& comm_;
  LaneSumShape shape_;
  NodeLanes node_;
  std::vector<int> members_;             // by rank
  std::vector<std::vector<int>> ranks_;  // by member and place
  ExchangePlan plan_;
  std::int64_t node_lanes_;
  std::vector<float*> own_lanes_;  // of the node, as the plan counts them
  std::vector<std::unique_ptr<Part>> parts_;
  std::atomic<std::int64_t> turn_{1};  // sums begun
  enum class Exchange { kUnderWay, kDone, kFailed };
  std::atomic<Exchange> state_{Exchange::kUnderWay};  // of this turn's, by the main thread
  std::exception_ptr failure_;                        // where it failed
  bool is_exchanging_ = false;
  Clock::time_point exchange_began_;
  double hidden_seconds_ = 0;
};

}  // namespace lockstep
