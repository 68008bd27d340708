#include "parallel/nodes_sum.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "lockstep/parallel/lane_tree.h"

namespace lockstep {

namespace {

constexpr std::int64_t kBlock = 16 * 1024;  // floats that a worker adds at a time
constexpr auto kShortSleep = std::chrono::microseconds(20);

double seconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

// The member of each rank, in the order of their first ranks: ranks that share memory are one.
std::vector<int> members_by_rank(Communicator& comm, Sharing sharing) {
  const int first = sharing == Sharing::kNode ? comm.sharing_ranks().front() : comm.rank();
  const std::vector<int> first_by_rank = gather_values(comm, first);
  std::vector<int> members;
  int count = 0;
  for (int rank = 0; rank < comm.world_size(); ++rank) {
    const int its_first = first_by_rank[static_cast<std::size_t>(rank)];
    members.push_back(its_first == rank ? count++ : members[static_cast<std::size_t>(its_first)]);
  }
  return members;
}

// Floats of the partial sums of elements, and of what their exchange stores. A partial sum of a
// single lane is the lane.
std::int64_t storage_size(const ExchangePlan& plan, Range elements) {
  std::int64_t floats = plan.stored_size(elements);
  for (const auto& program : plan.partials) floats += program.size() > 1 ? elements.size() : 0;
  return floats;
}

// The ranks of each member, by place.
std::vector<std::vector<int>> ranks_by_member(const std::vector<int>& members) {
  std::vector<std::vector<int>> ranks;
  for (std::size_t rank = 0; rank < members.size(); ++rank) {
    const auto member = static_cast<std::size_t>(members[rank]);
    ranks.resize(std::max(ranks.size(), member + 1));
    ranks[member].push_back(static_cast<int>(rank));
  }
  return ranks;
}

LaneSumShape with_buckets(LaneSumShape shape) {
  if (shape.buckets.empty()) {
    shape.buckets = {{0, shape.normed_size}, {shape.normed_size, shape.size}};
  }
  return shape;
}

}  // namespace

// Rail k of as many as the largest member has ranks: of each member the rank whose part of the
// rails that is in.
NodesSum::NodesSum(Communicator& comm, const LaneSumShape& shape, Sharing sharing)
    : comm_(comm),
      shape_(with_buckets(shape)),
      node_(comm, shape_, sharing, static_cast<int>(shape_.buckets.size())),
      members_(members_by_rank(comm, sharing)),
      ranks_(ranks_by_member(members_)),
      plan_(owners_of_lanes(shape.lanes, members_), static_cast<int>(ranks_.size()),
            members_[static_cast<std::size_t>(comm.rank())]),
      node_lanes_(static_cast<std::int64_t>(plan_.lanes.size())) {
  for (const std::int64_t lane : plan_.lanes) {
    own_lanes_.push_back(node_.lanes()[static_cast<std::size_t>(lane)]);
  }
  std::size_t rails = 0;
  for (const auto& ranks : ranks_) rails = std::max(rails, ranks.size());
  const Range own = share_of(static_cast<std::int64_t>(rails),
                             static_cast<std::int64_t>(node_.ranks().size()), node_.place());
  for (int bucket = 0; bucket < static_cast<int>(shape_.buckets.size()); ++bucket) {
    for (std::int64_t rail = own.first; rail < own.last; ++rail) {
      std::vector<int> ranks_of_rail;
      for (const auto& ranks : ranks_) {
        const auto place = part_of(static_cast<std::int64_t>(rails),
                                   static_cast<std::int64_t>(ranks.size()), rail);
        ranks_of_rail.push_back(ranks[static_cast<std::size_t>(place)]);
      }
      make_part(bucket,
                share_of_elements(shape_.buckets[static_cast<std::size_t>(bucket)],
                                  static_cast<std::int64_t>(rails), rail),
                ranks_of_rail, bucket * static_cast<int>(rails) + static_cast<int>(rail));
    }
  }
}

// As if its part of the elements were one, which rounds differently.
std::int64_t NodesSum::floats_of_parts(Communicator& comm, const LaneSumShape& shape) {
  const std::vector<int> members = members_by_rank(comm, Sharing::kNode);
  const int member = members[static_cast<std::size_t>(comm.rank())];
  const int count = 1 + *std::max_element(members.begin(), members.end());
  const ExchangePlan plan(owners_of_lanes(shape.lanes, members), count, member);
  const std::int64_t elements = shape.size / static_cast<std::int64_t>(comm.sharing_ranks().size());
  const std::int64_t floats = storage_size(plan, {0, elements});
  if (shape.wire == Wire::kFp32) return floats;
  std::int64_t slices = 0;  // sent and got as BF16, which takes half
  for (const ExchangePlan::Round& round : plan.rounds) {
    for (const auto* messages : {&round.out, &round.in}) {
      for (const ExchangePlan::Message& each : *messages) slices += each.slices.size();
    }
  }
  return floats + slices * elements / plan.slices / 2;
}

void NodesSum::make_part(int bucket, Range elements, std::span<const int> ranks_of_members,
                         int tag) {
  auto part = std::make_unique<Part>();
  part->bucket = bucket;
  part->elements = elements;
  part->wire = elements.last <= shape_.normed_size ? shape_.wire : Wire::kFp32;
  part->blocks = (elements.size() + kBlock - 1) / kBlock;
  part->storage.resize(static_cast<std::size_t>(storage_size(plan_, elements)));
  float* storage = part->storage.data();
  for (const auto& program : plan_.partials) {
    if (program.size() == 1) {
      part->partials.push_back(own_lanes_[static_cast<std::size_t>(program[0])] + elements.first);
      continue;
    }
    part->partials.push_back(storage);
    storage += elements.size();
  }
  part->exchange = std::make_unique<BucketExchange>(
      comm_, plan_.bind(elements, part->partials, storage, node_.result() + elements.first),
      ranks_of_members, part->wire, tag);
  parts_.push_back(std::move(part));
}

void NodesSum::is_written(int bucket) {
  node_.counter(bucket).fetch_add(1, std::memory_order_release);
}

bool NodesSum::is_complete(int bucket) const {
  return node_.counter(bucket).load(std::memory_order_acquire) ==
         node_lanes_ * turn_.load(std::memory_order_relaxed);
}

// Whether there was a block of it to add.
bool NodesSum::add_block(Part& part) {
  if (part.next_block.load(std::memory_order_relaxed) >= part.blocks) return false;
  const std::int64_t block = part.next_block.fetch_add(1, std::memory_order_relaxed);
  if (block >= part.blocks) return false;
  const std::int64_t first = block * kBlock;
  const Range range{part.elements.first + first,
                    std::min(part.elements.first + first + kBlock, part.elements.last)};
  for (std::size_t i = 0; i < plan_.partials.size(); ++i) {
    const std::vector<int>& program = plan_.partials[i];
    if (program.size() == 1) continue;
    add_along_tree(program, own_lanes_, range, part.partials[i] + first, part.wire);
  }
  part.added_blocks.fetch_add(1, std::memory_order_release);
  return true;
}

bool NodesSum::is_added() const {
  return std::all_of(parts_.begin(), parts_.end(), [](const auto& part) {
    return part->added_blocks.load(std::memory_order_acquire) == part->blocks;
  });
}

// By the main thread.
void NodesSum::exchange() {
  Exchange state = Exchange::kFailed;
  try {
    if (!advance_parts()) return;
    state = Exchange::kDone;
  } catch (...) {
    failure_ = std::current_exception();
  }
  state_.store(state, std::memory_order_release);
  state_.notify_all();
}

// Whether all parts are exchanged.
bool NodesSum::advance_parts() {
  bool is_done = true;
  for (const auto& part : parts_) {
    if (!part->is_started) {
      is_done = false;
      if (!is_complete(part->bucket)) continue;
      if (part->added_blocks.load(std::memory_order_acquire) != part->blocks) continue;
      if (!std::exchange(is_exchanging_, true)) exchange_began_ = Clock::now();
      part->is_started = true;
      part->exchange->start();
    }
    if (!part->exchange->advance()) is_done = false;
  }
  return is_done;
}

void NodesSum::progress(int worker) {
  if (state_.load(std::memory_order_relaxed) != Exchange::kUnderWay) return;
  for (const auto& part : parts_) {
    if (!is_complete(part->bucket)) continue;
    while (add_block(*part)) {
    }
  }
  if (worker == 0) exchange();
}

// Adds with the others of this node what its lanes still write. The main thread exchanges; the
// other workers wait for that, not for a peer: where it fails, nobody must be left waiting.
void NodesSum::finish_parts(int worker, Clock::time_point& complete, Clock::time_point& added) {
  const auto all_complete = [&] {
    for (const auto& part : parts_) {
      if (!is_complete(part->bucket)) return false;
    }
    return true;
  };
  const auto is_under_way = [&] {
    return state_.load(std::memory_order_acquire) == Exchange::kUnderWay;
  };
  complete = added = Clock::now();
  for (bool is_waiting = true; is_under_way(); std::this_thread::sleep_for(kShortSleep)) {
    progress(worker);
    if (is_waiting && all_complete()) {
      complete = Clock::now();
      is_waiting = false;
      progress(worker);
    }
    if (!is_waiting && is_added()) break;
  }
  added = Clock::now();
  while (worker == 0 && is_under_way()) {
    exchange();
    std::this_thread::yield();
  }
  state_.wait(Exchange::kUnderWay, std::memory_order_acquire);
  if (state_.load(std::memory_order_acquire) == Exchange::kFailed) std::rethrow_exception(failure_);
}

SumTimes NodesSum::run(int worker) {
  const auto begin = Clock::now();
  if (worker == 0) {
    comm_.begin_wait("sum over lanes");
    hidden_seconds_ = is_exchanging_ ? seconds(begin - exchange_began_) : 0;
  }
  Clock::time_point complete;
  Clock::time_point added;
  finish_parts(worker, complete, added);
  node_.meet();
  node_.write_squares(node_.share_of_worker(node_.first_worker() + worker));
  if (worker == 0) prepare_next();
  node_.meet();
  if (worker == 0) comm_.end_wait();
  const auto end = Clock::now();
  return {seconds(complete - begin), seconds(end - complete), seconds(end - added),
          hidden_seconds_};
}

// All workers of this rank are past their parts.
void NodesSum::prepare_next() {
  for (const auto& part : parts_) {
    part->next_block = 0;
    part->added_blocks = 0;
    part->is_started = false;
  }
  is_exchanging_ = false;
  state_.store(Exchange::kUnderWay, std::memory_order_relaxed);
  ++turn_;
}

}  // namespace lockstep
