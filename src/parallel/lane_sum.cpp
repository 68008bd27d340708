#include "lockstep/parallel/lane_sum.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <vector>

#include "lockstep/comm/node_barrier.h"
#include "lockstep/core/error.h"
#include "lockstep/parallel/exchange_plan.h"
#include "lockstep/parallel/lane_tree.h"

namespace lockstep {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

// Of a sum that ends now.
SumTimes times_of(Clock::time_point begin, Clock::time_point complete, Clock::time_point added) {
  const auto end = Clock::now();
  return {seconds_between(begin, complete), seconds_between(complete, end),
          seconds_between(added, end)};
}

constexpr std::int64_t kLineFloats = 16;  // of a cache line

std::int64_t blocks_of(std::int64_t size) { return (size + kNormBlock - 1) / kNormBlock; }

// Part `index` of `parts` of [0, size), cut at multiples of kNormBlock.
Range block_share(std::int64_t size, std::int64_t parts, std::int64_t index) {
  const Range blocks = share_of(blocks_of(size), parts, index);
  return {std::min(blocks.first * kNormBlock, size), std::min(blocks.last * kNormBlock, size)};
}

// squares[b] for the blocks of `range`, which is cut at multiples of kNormBlock;
// `values` begin at range.first.
void write_squares(const float* values, Range range, std::int64_t normed_size, double* squares) {
  for (std::int64_t first = range.first; first < range.last; first += kNormBlock) {
    const std::int64_t last = std::min({first + kNormBlock, range.last, normed_size});
    squares[first / kNormBlock] =
        last > first ? square_sum(values + (first - range.first), last - first) : 0;
  }
}

// What the three sums share: where the lanes of this rank lie.
class LaneSumBase : public LaneSum {
 public:
  LaneSumBase(Communicator& comm, const LaneSumShape& shape)
      : comm_(comm),
        shape_(shape),
        owned_(share_of(shape.lanes, comm.world_size(), comm.rank())),
        lane_floats_((shape.size + kLineFloats - 1) / kLineFloats * kLineFloats) {}

  std::span<const float> values() const override {
    return {result_, static_cast<std::size_t>(shape_.size)};
  }

  double square_norm() const override {
    double sum = 0;
    for (std::int64_t b = 0; b < blocks_of(shape_.size); ++b) sum += squares_[b];
    return sum;
  }

 protected:
  std::size_t lane_bytes(std::int64_t lanes) const {
    return static_cast<std::size_t>(lanes * lane_floats_) * sizeof(float);
  }

  Communicator& comm_;
  LaneSumShape shape_;
  Range owned_;
  std::int64_t lane_floats_;   // of a lane's buffer, rounded up to cache lines
  float* result_ = nullptr;    // the sums
  double* squares_ = nullptr;  // of them, by block
};

// All ranks on one node: every worker adds its part of the elements straight from
// all lanes' buffers, which lie in shared memory, into the shared result.
class NodeSum final : public LaneSumBase {
 public:
  NodeSum(Communicator& comm, const LaneSumShape& shape)
      : LaneSumBase(comm, shape),
        program_(ExchangePlan(shape.lanes, shape.size, /*ranks=*/1, /*rank=*/0).partials[0]) {
    const std::vector<int> workers = gather_values(comm, shape.workers);
    for (std::size_t rank = 0; rank < workers.size(); ++rank) {
      if (static_cast<int>(rank) < comm.rank()) first_worker_ += workers[rank];
      node_workers_ += workers[rank];
    }
    const bool first = comm.node_place() == 0;
    const std::size_t result_bytes =
        sizeof(Barrier) + lane_bytes(1) + static_cast<std::size_t>(blocks_of(shape.size)) * 8;
    window_ = comm.share(lane_bytes(owned_.size()) + (first ? result_bytes : 0));
    place_lanes();
  }

  std::span<float> lane(int lane) override {
    return {lanes_[static_cast<std::size_t>(lane)], static_cast<std::size_t>(shape_.size)};
  }

  SumTimes run(int worker) override {
    const auto workers = static_cast<std::uint32_t>(node_workers_);
    const auto begin = Clock::now();
    if (worker == 0) comm_.begin_wait("sum over lanes");
    barrier_->barrier.arrive_and_wait(workers);
    const auto complete = Clock::now();
    const Range mine = block_share(shape_.size, node_workers_, first_worker_ + worker);
    // Block by block, so that the squares find the sums in the core's cache.
    for (std::int64_t first = mine.first; first < mine.last; first += kNormBlock) {
      const Range block{first, std::min(first + kNormBlock, mine.last)};
      add_along_tree(program_, lanes_, block, result_ + first);
      write_squares(result_ + first, block, shape_.normed_size, squares_);
    }
    const auto added = Clock::now();
    barrier_->barrier.arrive_and_wait(workers);
    if (worker == 0) comm_.end_wait();
    return times_of(begin, complete, added);
  }

 private:
  struct alignas(64) Barrier {
    NodeBarrier barrier;
  };

  // Rank 0's part holds barrier, result and squares before its lanes.
  void place_lanes() {
    for (int rank = 0; rank < comm_.world_size(); ++rank) {
      std::byte* base = window_->part(rank).data();
      if (rank == 0) {
        barrier_ = reinterpret_cast<Barrier*>(base);
        result_ = reinterpret_cast<float*>(base + sizeof(Barrier));
        base += sizeof(Barrier) + lane_bytes(1);
      }
      const Range lanes = share_of(shape_.lanes, comm_.world_size(), rank);
      auto* floats = reinterpret_cast<float*>(base);
      for (std::int64_t lane = lanes.first; lane < lanes.last; ++lane, floats += lane_floats_) {
        lanes_.push_back(floats);
      }
      if (rank == 0) squares_ = reinterpret_cast<double*>(floats);
    }
  }

  int first_worker_ = 0;  // this rank's first among the workers of the node
  int node_workers_ = 0;
  std::unique_ptr<SharedWindow> window_;
  Barrier* barrier_ = nullptr;
  std::vector<float*> lanes_;  // of all ranks, by lane
  std::vector<int> program_;   // adds them
};

// Own lanes and result in own memory; workers meet at a barrier of this rank.
class RankSum : public LaneSumBase {
 public:
  RankSum(Communicator& comm, const LaneSumShape& shape)
      : LaneSumBase(comm, shape),
        plan_(shape.lanes, shape.size, comm.world_size(), comm.rank()),
        square_storage_(static_cast<std::size_t>(blocks_of(shape.size))) {
    squares_ = square_storage_.data();
    const auto partials = static_cast<std::int64_t>(plan_.partials.size());
    storage_ = connect_self()->share(lane_bytes(owned_.size() + partials + 1));
    auto* floats = reinterpret_cast<float*>(storage_->part(0).data());
    const auto place = [&](std::int64_t count, std::vector<float*>& buffers) {
      for (; count > 0; --count, floats += lane_floats_) buffers.push_back(floats);
    };
    place(owned_.size(), lanes_);
    place(partials, partials_);
    result_ = floats;
  }

  std::span<float> lane(int lane) override {
    return {lanes_[static_cast<std::size_t>(lane - owned_.first)],
            static_cast<std::size_t>(shape_.size)};
  }

  SumTimes run(int worker) override {
    const auto workers = static_cast<std::uint32_t>(shape_.workers);
    const auto begin = Clock::now();
    barrier_.arrive_and_wait(workers);
    const auto complete = Clock::now();
    const Range mine = block_share(shape_.size, shape_.workers, worker);
    for (std::size_t i = 0; i < partials_.size(); ++i) {
      add_along_tree(plan_.partials[i], lanes_, mine, partials_[i] + mine.first);
    }
    const auto added = Clock::now();
    barrier_.arrive_and_wait(workers);
    if (worker == 0) try_to_combine();
    barrier_.arrive_and_wait(workers);
    if (failure_) std::rethrow_exception(failure_);
    return times_of(begin, complete, added);
  }

 protected:
  // Collective, by the main threads: partial sums of all ranks to the result.
  virtual void combine() = 0;

  ExchangePlan plan_;
  std::vector<float*> partials_;  // as the plan adds them

 private:
  // The other workers must not wait for one whose peers have failed, nor go on.
  void try_to_combine() {
    try {
      combine();
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  std::exception_ptr failure_;             // of the main thread, for all workers
  std::unique_ptr<SharedWindow> storage_;  // own lanes, partial sums, result
  std::vector<float*> lanes_;
  std::vector<double> square_storage_;
  NodeBarrier barrier_{};
};

// The ordered sum by messages; see ExchangePlan.
class MessageSum final : public RankSum {
 public:
  MessageSum(Communicator& comm, const LaneSumShape& shape)
      : RankSum(comm, shape),
        received_(static_cast<std::size_t>(plan_.received_size())),
        exchange_(plan_.exchange(partials_, received_.data(), result_)) {}

 private:
  void combine() override {
    comm_.exchange(exchange_.partials_out, exchange_.partials_in);
    add_along_tree(plan_.program, exchange_.addends, {0, plan_.slice().size()}, exchange_.sum);
    comm_.exchange(exchange_.slices_out, exchange_.slices_in);
    write_squares(result_, {0, shape_.size}, shape_.normed_size, squares_);
  }

  std::vector<float> received_;
  PlannedExchange exchange_;
};

// The transport's own all-reduce of what each rank's lanes sum to.
class NativeSum final : public RankSum {
 public:
  using RankSum::RankSum;

 private:
  void combine() override {
    std::fill_n(result_, shape_.size, 0.0F);
    for (const float* partial : partials_) {
      for (std::int64_t i = 0; i < shape_.size; ++i) result_[i] += partial[i];
    }
    comm_.native_sum({result_, static_cast<std::size_t>(shape_.size)});
    write_squares(result_, {0, shape_.size}, shape_.normed_size, squares_);
  }
};

}  // namespace

int most_partial_sums(int lanes, int ranks) {
  const LaneTree tree(lanes);
  std::vector<int> owners;
  for (int lane = 0; lane < lanes; ++lane) {
    owners.push_back(static_cast<int>(part_of(lanes, ranks, lane)));
  }
  std::size_t most = 0;
  for (int rank = 0; rank < ranks; ++rank) {
    most = std::max(most, tree.complete_nodes(owners, rank).size());
  }
  return static_cast<int>(most);
}

std::unique_ptr<LaneSum> make_lane_sum(Communicator& comm, const LaneSumShape& shape,
                                       Reduction reduction, Route route) {
  if (reduction == Reduction::kNative) return std::make_unique<NativeSum>(comm, shape);
  const bool one_node = comm.node_size() == comm.world_size();
  if (route == Route::kMessages || !one_node) return std::make_unique<MessageSum>(comm, shape);
  return std::make_unique<NodeSum>(comm, shape);
}

}  // namespace lockstep
