#include "parallel/node_lanes.h"

#include <algorithm>

#include "lockstep/core/error.h"
#include "lockstep/parallel/lane_tree.h"

namespace lockstep {

namespace {

constexpr std::int64_t kLineFloats = 16;  // of a cache line
constexpr std::size_t kLineBytes = 64;

std::int64_t blocks_of(std::int64_t size) { return (size + kNormBlock - 1) / kNormBlock; }

std::size_t whole_lines(std::size_t bytes) {
  return (bytes + kLineBytes - 1) / kLineBytes * kLineBytes;
}

// Takes `count` of T from memory, which is cut at cache lines.
template <typename T>
T* take(std::byte*& memory, std::int64_t count) {
  auto* const taken = reinterpret_cast<T*>(memory);
  memory += whole_lines(static_cast<std::size_t>(count) * sizeof(T));
  return taken;
}

}  // namespace

NodeLanes::NodeLanes(Communicator& comm, const LaneSumShape& shape, Sharing sharing, int counters)
    : shape_(shape),
      world_size_(comm.world_size()),
      rank_(comm.rank()),
      counter_count_(counters),
      ranks_(sharing == Sharing::kNode ? comm.sharing_ranks() : std::vector{comm.rank()}),
      lane_floats_((shape.size + kLineFloats - 1) / kLineFloats * kLineFloats) {
  const std::vector<int> workers = gather_values(comm, shape.workers);
  for (const int rank : ranks_) {
    if (rank == rank_) first_worker_ = workers_;
    if (rank < rank_) ++place_;
    workers_ += workers[static_cast<std::size_t>(rank)];
  }
  const std::int64_t owned = share_of(shape.lanes, world_size_, rank_).size();
  auto bytes = static_cast<std::size_t>(owned * lane_floats_) * sizeof(float);
  if (place_ == 0) {
    bytes += whole_lines(sizeof(NodeBarrier)) +
             whole_lines(static_cast<std::size_t>(counters) * sizeof(counters_[0])) +
             static_cast<std::size_t>(lane_floats_) * sizeof(float) +
             whole_lines(static_cast<std::size_t>(blocks_of(shape.size)) * sizeof(double));
  }
  window_ = sharing == Sharing::kNode ? comm.share(bytes) : connect_self()->share(bytes);
  lanes_.resize(static_cast<std::size_t>(shape.lanes));
  for (std::size_t place = 0; place < ranks_.size(); ++place) {
    std::byte* memory = window_->part(static_cast<int>(place)).data();
    if (place == 0) {
      barrier_ = take<NodeBarrier>(memory, 1);
      counters_ = take<std::atomic<std::int64_t>>(memory, counter_count_);
      result_ = take<float>(memory, lane_floats_);
      squares_ = take<double>(memory, blocks_of(shape.size));
    }
    const Range lanes = share_of(shape.lanes, world_size_, ranks_[place]);
    for (std::int64_t lane = lanes.first; lane < lanes.last; ++lane) {
      lanes_[static_cast<std::size_t>(lane)] = take<float>(memory, lane_floats_);
    }
  }
}

std::span<float> NodeLanes::lane(int lane) const {
  return {lanes_[static_cast<std::size_t>(lane)], static_cast<std::size_t>(shape_.size)};
}

void NodeLanes::write_squares(Range range) const {
  for (std::int64_t first = range.first; first < range.last; first += kNormBlock) {
    const std::int64_t last = std::min({first + kNormBlock, range.last, shape_.normed_size});
    squares_[first / kNormBlock] = last > first ? square_sum(result_ + first, last - first) : 0;
  }
}

double NodeLanes::square_norm() const {
  double sum = 0;
  for (std::int64_t block = 0; block < blocks_of(shape_.size); ++block) sum += squares_[block];
  return sum;
}

Range NodeLanes::share_of_worker(int worker) const {
  const Range blocks = share_of(blocks_of(shape_.size), workers_, worker);
  return {std::min(blocks.first * kNormBlock, shape_.size),
          std::min(blocks.last * kNormBlock, shape_.size)};
}

}  // namespace lockstep
