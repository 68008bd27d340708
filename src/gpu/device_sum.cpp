#include "gpu/device_sum.h"

#include <algorithm>
#include <numeric>

#include "gpu/device.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr std::int64_t kAlign = 64;  // floats: 256 bytes, as the device likes its memory

// Each GPU has memory of its own.
ExchangePlan plan_of(int lanes, const Transport& transport) {
  std::vector<int> members(static_cast<std::size_t>(transport.world_size()));
  std::iota(members.begin(), members.end(), 0);
  return {owners_of_lanes(lanes, members), transport.world_size(), transport.rank()};
}

}  // namespace

DeviceSum::DeviceSum(Accelerator& accelerator, Transport& transport, const LaneSumShape& shape,
                     Reduction reduction)
    : accelerator_(accelerator),
      transport_(transport),
      reduction_(reduction),
      owned_(share_of(shape.lanes, transport.world_size(), transport.rank())),
      plan_(plan_of(shape.lanes, transport)),
      size_(shape.size),
      rounded_(shape.wire == Wire::kBf16 ? shape.normed_size : 0),
      lane_floats_((shape.size + kAlign - 1) / kAlign * kAlign) {
  const auto partials = static_cast<std::int64_t>(plan_.partials.size());
  const std::int64_t own = owned_.size();
  memory_ = device_zeros(accelerator, (own + partials + 1) * lane_floats_, at::kFloat);
  std::vector<const float*> own_lanes;
  for (std::int64_t i = 0; i < own; ++i) own_lanes.push_back(buffer(i));
  std::vector<float*> values;  // of the partial sums
  for (std::int64_t i = 0; i < partials; ++i) {
    const std::vector<int>& program = plan_.partials[static_cast<std::size_t>(i)];
    if (program.size() == 1) {
      values.push_back(buffer(program[0]));
      continue;
    }
    values.push_back(buffer(own + i));
    own_.push_back(addition(program, own_lanes, {0, size_}, values.back()));
  }
  reduction == Reduction::kOrdered ? plan_ordered(values) : plan_native(values);
}

std::span<float> DeviceSum::lane(std::int64_t lane) const {
  if (!owned_.contains(lane)) {
    fail_internal("lane {} of a sum; expected one of [{}, {})", lane, owned_.first, owned_.last);
  }
  return {buffer(lane - owned_.first), static_cast<std::size_t>(size_)};
}

std::span<float> DeviceSum::values() const {
  return {memory_.data_ptr<float>() + memory_.numel() - lane_floats_,
          static_cast<std::size_t>(size_)};
}

float* DeviceSum::buffer(std::int64_t index) const {
  return memory_.data_ptr<float>() + index * lane_floats_;
}

DeviceSum::Addition DeviceSum::addition(std::span<const int> program,
                                        std::span<const float* const> values, Range elements,
                                        float* to) const {
  std::vector<std::int64_t> addresses;
  for (const float* each : values) addresses.push_back(reinterpret_cast<std::int64_t>(each));
  return {to_device<std::int64_t>(accelerator_, addresses, at::kLong),
          to_device<int>(accelerator_, program, at::kInt), elements.size(),
          std::clamp<std::int64_t>(rounded_ - elements.first, 0, elements.size()), to};
}

void DeviceSum::plan_ordered(std::span<float* const> partials) {
  const Range elements{0, size_};
  stored_ = device_zeros(accelerator_, std::max<std::int64_t>(plan_.stored_size(elements), 1),
                         at::kFloat);
  for (PlannedRound& round :
       plan_.bind(elements, partials, stored_.data_ptr<float>(), values().data())) {
    Round& made = rounds_.emplace_back();
    for (const PlannedRound::Addition& each : round.additions) {
      made.additions.push_back(addition(each.program, each.addends, each.elements, each.sum));
    }
    made.out = std::move(round.out);
    made.in = std::move(round.in);
  }
}

// This rank's partial sums, one after the other; the transport adds those of all ranks.
void DeviceSum::plan_native(std::span<float* const> partials) {
  std::vector<int> program;
  for (int i = 0; i < static_cast<int>(partials.size()); ++i) {
    program.push_back(i);
    if (i > 0) program.push_back(kAdd);
  }
  rounds_.emplace_back().additions.push_back(
      addition(program, std::vector<const float*>(partials.begin(), partials.end()), {0, size_},
               values().data()));
}

void DeviceSum::add(const Addition& addition) {
  launch(accelerator_, gpu::kAddAlongTree, grid_of(addition.count),
         gpu::AddAlongTree{
             .buffers = reinterpret_cast<const float* const*>(addition.buffers.const_data_ptr()),
             .program = addition.program.const_data_ptr<int>(),
             .program_size = static_cast<int>(addition.program.numel()),
             .count = addition.count,
             .rounded = addition.rounded,
             .to = addition.to});
}

void DeviceSum::run() {
  for (const Addition& each : own_) add(each);
  for (const Round& round : rounds_) {
    for (const Addition& each : round.additions) add(each);
    if (!round.out.empty() || !round.in.empty()) transport_.exchange(round.out, round.in);
  }
  if (reduction_ == Reduction::kNative && transport_.world_size() > 1) {
    transport_.native_sum(values());
  }
}

}  // namespace lockstep
