#include "lockstep/parallel/lane_sum.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <vector>

#include "lockstep/parallel/lane_tree.h"
#include "parallel/node_lanes.h"
#include "parallel/nodes_sum.h"

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

// The program that adds all lanes.
std::vector<int> whole_program(int lanes) {
  const LaneTree tree(lanes);
  return postfix(tree, tree.root(), leaves({0, lanes}));
}

// All ranks on one node: every worker adds its part of the elements straight from
// all lanes' buffers, which lie in shared memory, into the shared result.
class NodeSum final : public LaneSum {
 public:
  NodeSum(Communicator& comm, const LaneSumShape& shape)
      : comm_(comm),
        size_(shape.size),
        gradients_(shape.normed_size),
        wire_(shape.wire),
        node_(comm, shape, Sharing::kNode, /*counters=*/0),
        lanes_(node_.lanes().begin(), node_.lanes().end()),
        program_(whole_program(shape.lanes)) {}

  std::span<float> lane(int lane) override { return node_.lane(lane); }
  void is_written(int /*bucket*/) override {}
  void progress(int /*worker*/) override {}

  SumTimes run(int worker) override {
    const auto begin = Clock::now();
    if (worker == 0) comm_.begin_wait("sum over lanes");
    node_.meet();
    const auto complete = Clock::now();
    const Range mine = node_.share_of_worker(node_.first_worker() + worker);
    // Block by block, so that the squares find the sums in the core's cache.
    for (std::int64_t first = mine.first; first < mine.last; first += kNormBlock) {
      const Range block{first, std::min(first + kNormBlock, mine.last)};
      const std::int64_t cut = std::clamp(gradients_, block.first, block.last);
      add_along_tree(program_, lanes_, {first, cut}, node_.result() + first, wire_);
      add_along_tree(program_, lanes_, {cut, block.last}, node_.result() + cut);
      node_.write_squares(block);
    }
    const auto added = Clock::now();
    node_.meet();
    if (worker == 0) comm_.end_wait();
    return times_of(begin, complete, added);
  }

  std::span<const float> values() const override {
    return {node_.result(), static_cast<std::size_t>(size_)};
  }
  double square_norm() const override { return node_.square_norm(); }

 private:
  Communicator& comm_;
  std::int64_t size_;
  std::int64_t gradients_;
  Wire wire_;
  NodeLanes node_;
  std::vector<const float*> lanes_;  // of all ranks
  std::vector<int> program_;         // adds them
};

// The transport's own all-reduce of what each rank's lanes sum to.
class NativeSum final : public LaneSum {
 public:
  NativeSum(Communicator& comm, const LaneSumShape& shape)
      : comm_(comm), size_(shape.size), own_(comm, shape, Sharing::kNone, /*counters=*/0) {
    const Range owned = share_of(shape.lanes, comm.world_size(), comm.rank());
    for (std::int64_t lane = owned.first; lane < owned.last; ++lane) {
      lanes_.push_back(own_.lanes()[static_cast<std::size_t>(lane)]);
    }
    if (!lanes_.empty()) program_ = whole_program(static_cast<int>(owned.size()));
  }

  std::span<float> lane(int lane) override { return own_.lane(lane); }
  void is_written(int /*bucket*/) override {}
  void progress(int /*worker*/) override {}

  SumTimes run(int worker) override {
    const auto begin = Clock::now();
    own_.meet();
    const auto complete = Clock::now();
    const Range mine = own_.share_of_worker(worker);
    if (lanes_.empty()) {
      std::fill_n(own_.result() + mine.first, mine.size(), 0.0F);
    } else {
      add_along_tree(program_, lanes_, mine, own_.result() + mine.first);
    }
    const auto added = Clock::now();
    own_.meet();
    if (worker == 0) try_to_combine();
    own_.meet();
    if (failure_) std::rethrow_exception(failure_);
    own_.write_squares(mine);
    own_.meet();
    return times_of(begin, complete, added);
  }

  std::span<const float> values() const override {
    return {own_.result(), static_cast<std::size_t>(size_)};
  }
  double square_norm() const override { return own_.square_norm(); }

 private:
  // The other workers must not wait for one whose peers have failed, nor go on.
  void try_to_combine() {
    try {
      comm_.native_sum({own_.result(), static_cast<std::size_t>(size_)});
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  Communicator& comm_;
  std::int64_t size_;
  NodeLanes own_;
  std::vector<const float*> lanes_;
  std::vector<int> program_;
  std::exception_ptr failure_;  // of the main thread, for all workers
};

}  // namespace

std::unique_ptr<LaneSum> make_lane_sum(Communicator& comm, const LaneSumShape& shape,
                                       Reduction reduction, Route route) {
  if (reduction == Reduction::kNative) return std::make_unique<NativeSum>(comm, shape);
  const auto sharing = static_cast<int>(comm.sharing_ranks().size());
  if (route == Route::kMessages) return std::make_unique<NodesSum>(comm, shape, Sharing::kNone);
  if (sharing < comm.world_size()) return std::make_unique<NodesSum>(comm, shape, Sharing::kNode);
  return std::make_unique<NodeSum>(comm, shape);
}

std::int64_t lane_sum_bytes(Communicator& comm, const LaneSumShape& shape, Reduction reduction) {
  const std::int64_t lanes = share_of(shape.lanes, comm.world_size(), comm.rank()).size();
  const std::vector<int>& node = comm.sharing_ranks();
  const bool is_native = reduction == Reduction::kNative;
  const bool has_result = is_native || comm.rank() == node.front();
  std::int64_t floats = shape.size * (lanes + (has_result ? 1 : 0));
  if (!is_native && static_cast<int>(node.size()) < comm.world_size()) {
    floats += NodesSum::floats_of_parts(comm, shape);
  }
  return floats * std::int64_t{sizeof(float)};
}

}  // namespace lockstep
