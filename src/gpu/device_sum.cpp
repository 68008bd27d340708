#include "gpu/device_sum.h"

#include <algorithm>

#include "gpu/device.h"
#include "lockstep/core/error.h"
#include "lockstep/parallel/lane_sum.h"

namespace lockstep {

namespace {

constexpr std::int64_t kAlign = 64;  // floats: 256 bytes, as the device likes its memory

void write_postfix(const LaneTree& tree, LaneNode node, std::span<const LaneNode> known,
                   std::vector<int>& program) {
  const auto found = std::find(known.begin(), known.end(), node);
  if (found != known.end()) {
    program.push_back(static_cast<int>(found - known.begin()));
    return;
  }
  if (node.level == 0) fail_internal("lane {} is missing from a sum", node.index);
  write_postfix(tree, node.left(), known, program);
  if (tree.lanes_of(node.right()).size() == 0) return;
  write_postfix(tree, node.right(), known, program);
  program.push_back(kAdd);
}

}  // namespace

std::vector<int> postfix(const LaneTree& tree, LaneNode node, std::span<const LaneNode> known) {
  std::vector<int> program;
  write_postfix(tree, node, known, program);
  return program;
}

DeviceSum::DeviceSum(Accelerator& accelerator, Transport& transport, int lanes, std::int64_t size,
                     Reduction reduction)
    : accelerator_(accelerator),
      transport_(transport),
      reduction_(reduction),
      tree_(lanes),
      owned_(share_of(lanes, transport.world_size(), transport.rank())),
      size_(size),
      lane_floats_((size + kAlign - 1) / kAlign * kAlign),
      nodes_(tree_.complete_nodes(owned_)) {
  const auto buffers = owned_.size() + static_cast<std::int64_t>(nodes_.size()) + 1;
  memory_ = device_zeros(accelerator, buffers * lane_floats_, at::kFloat);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const LaneNode node = nodes_[i];
    if (node.level == 0) {
      partials_.push_back(lane(node.index).data());
      continue;
    }
    float* const to =
        memory_.data_ptr<float>() + (owned_.size() + static_cast<std::int64_t>(i)) * lane_floats_;
    std::vector<LaneNode> leaves;
    std::vector<const float*> values;
    const Range covered = tree_.lanes_of(node);
    for (std::int64_t l = covered.first; l < covered.last; ++l) {
      leaves.push_back({0, static_cast<int>(l)});
      values.push_back(lane(l).data());
    }
    own_.push_back(plan(node, leaves, values, size, to));
    partials_.push_back(to);
  }
  reduction == Reduction::kOrdered ? plan_ordered() : plan_native();
}

std::span<float> DeviceSum::lane(std::int64_t lane) const {
  if (!owned_.contains(lane)) {
    fail_internal("lane {} of a sum; expected one of [{}, {})", lane, owned_.first, owned_.last);
  }
  return {memory_.data_ptr<float>() + (lane - owned_.first) * lane_floats_,
          static_cast<std::size_t>(size_)};
}

std::span<float> DeviceSum::values() const {
  return {memory_.data_ptr<float>() + memory_.numel() - lane_floats_,
          static_cast<std::size_t>(size_)};
}

Range DeviceSum::slice(int rank) const {
  const std::int64_t blocks = (size_ + kAlign - 1) / kAlign;
  const Range mine = share_of(blocks, transport_.world_size(), rank);
  return {std::min(mine.first * kAlign, size_), std::min(mine.last * kAlign, size_)};
}

std::span<float> DeviceSum::part(float* base, Range range) const {
  return {base + range.first, static_cast<std::size_t>(range.size())};
}

DeviceSum::Addition DeviceSum::plan(LaneNode node, const std::vector<LaneNode>& known,
                                    const std::vector<const float*>& values, std::int64_t count,
                                    float* to) const {
  std::vector<std::int64_t> addresses;
  for (const float* each : values) addresses.push_back(reinterpret_cast<std::int64_t>(each));
  return {to_device<std::int64_t>(accelerator_, addresses, at::kLong),
          to_device<int>(accelerator_, postfix(tree_, node, known), at::kInt), count, to};
}

// The owner of each slice of elements gets all ranks' partial sums of it, adds them in
// tree order and sends the slice to all.
void DeviceSum::plan_ordered() {
  const int world = transport_.world_size();
  const Range mine = slice(transport_.rank());
  std::vector<std::vector<LaneNode>> of_peers;
  std::int64_t parts = 0;
  for (int peer = 0; peer < world; ++peer) {
    of_peers.push_back(tree_.complete_nodes(share_of(tree_.lanes(), world, peer)));
    parts += static_cast<std::int64_t>(of_peers.back().size());
  }
  received_ =
      device_zeros(accelerator_, std::max<std::int64_t>(parts * mine.size(), 1), at::kFloat);
  std::vector<LaneNode> known;
  std::vector<const float*> values;
  float* next = received_.data_ptr<float>();
  for (int peer = 0; peer < world; ++peer) {
    const bool self = peer == transport_.rank();
    const auto& nodes = of_peers[static_cast<std::size_t>(peer)];
    for (std::size_t i = 0; i < nodes.size(); ++i, next += mine.size()) {
      known.push_back(nodes[i]);
      values.push_back(self ? partials_[i] + mine.first : next);
      if (self) continue;
      partials_in_.push_back(
          {peer, std::as_writable_bytes(std::span(next, static_cast<std::size_t>(mine.size())))});
    }
    if (self) continue;
    for (float* partial : partials_) {
      partials_out_.push_back({peer, std::as_bytes(part(partial, slice(peer)))});
    }
    slices_out_.push_back({peer, std::as_bytes(part(this->values().data(), mine))});
    slices_in_.push_back({peer, std::as_writable_bytes(part(this->values().data(), slice(peer)))});
  }
  if (mine.size() == 0) return;
  rest_.push_back(
      plan(tree_.root(), known, values, mine.size(), this->values().data() + mine.first));
}

// This rank's partial sums, one after the other; the transport adds those of all ranks.
void DeviceSum::plan_native() {
  std::vector<std::int64_t> addresses;
  std::vector<int> program;
  for (float* partial : partials_) {
    addresses.push_back(reinterpret_cast<std::int64_t>(partial));
    program.push_back(static_cast<int>(addresses.size()) - 1);
    if (addresses.size() > 1) program.push_back(kAdd);
  }
  rest_.push_back({to_device<std::int64_t>(accelerator_, addresses, at::kLong),
                   to_device<int>(accelerator_, program, at::kInt), size_, values().data()});
}

void DeviceSum::add(const Addition& addition) {
  launch(accelerator_, "add_along_tree", grid_of(addition.count),
         gpu::AddAlongTree{
             .buffers = reinterpret_cast<const float* const*>(addition.buffers.const_data_ptr()),
             .program = addition.program.const_data_ptr<int>(),
             .program_size = static_cast<int>(addition.program.numel()),
             .count = addition.count,
             .to = addition.to});
}

void DeviceSum::run() {
  for (const Addition& each : own_) add(each);
  const bool alone = transport_.world_size() == 1;
  if (!alone && reduction_ == Reduction::kOrdered) transport_.exchange(partials_out_, partials_in_);
  for (const Addition& each : rest_) add(each);
  if (alone) return;
  if (reduction_ == Reduction::kNative) {
    transport_.native_sum(values());
  } else {
    transport_.exchange(slices_out_, slices_in_);
  }
}

}  // namespace lockstep
