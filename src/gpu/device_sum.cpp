#include "gpu/device_sum.h"

#include <algorithm>
#include <numeric>

#include "gpu/device.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr std::int64_t kAlign = 64;  // floats: 256 bytes, as the device likes its memory

std::span<std::byte> bits_of(const gpu::Packed& packed) {
  return std::as_writable_bytes(std::span(packed.bits, static_cast<std::size_t>(packed.count)));
}

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
    own_.push_back(addition(program, own_lanes, size_, rounded_, values.back()));
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
                                        std::span<const float* const> values, std::int64_t count,
                                        std::int64_t rounded, float* to) const {
  std::vector<std::int64_t> addresses;
  for (const float* each : values) addresses.push_back(reinterpret_cast<std::int64_t>(each));
  return {to_device<std::int64_t>(accelerator_, addresses, at::kLong),
          to_device<int>(accelerator_, program, at::kInt), count, rounded, to};
}

void DeviceSum::plan_ordered(std::span<float* const> partials) {
  if (rounded_ > 0) plan_rounds(partials, {0, rounded_}, Wire::kBf16);
  if (rounded_ < size_) plan_rounds(partials, {rounded_, size_}, Wire::kFp32);
}

// Of all elements that the plan is for, the rounds go together.
void DeviceSum::plan_rounds(std::span<float* const> partials, Range elements, Wire wire) {
  std::vector<float*> values_of_partials;
  for (float* each : partials) values_of_partials.push_back(each + elements.first);
  stored_.push_back(device_zeros(
      accelerator_, std::max<std::int64_t>(plan_.stored_size(elements), 1), at::kFloat));
  const std::vector<PlannedRound> planned =
      plan_.bind(elements, values_of_partials, stored_.back().data_ptr<float>(),
                 values().data() + elements.first);
  rounds_.resize(planned.size());
  for (std::size_t i = 0; i < planned.size(); ++i) {
    Round& round = rounds_[i];
    for (const PlannedRound::Addition& each : planned[i].additions) {
      const std::int64_t count = each.elements.size();
      round.additions.push_back(
          addition(each.program, each.addends, count, wire == Wire::kBf16 ? count : 0, each.sum));
    }
    for (Outgoing each : planned[i].out) {
      if (wire == Wire::kBf16)
        each.data = bits_of(round.sent.emplace_back(packed(floats_of(each.data))));
      round.out.push_back(each);
    }
    for (Incoming each : planned[i].in) {
      if (wire == Wire::kBf16)
        each.data = bits_of(round.received.emplace_back(packed(floats_of(each.data))));
      round.in.push_back(each);
    }
  }
}

gpu::Packed DeviceSum::packed(std::span<float> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  stored_.push_back(device_zeros(accelerator_, count, at::kShort));
  return {values.data(), reinterpret_cast<unsigned short*>(stored_.back().data_ptr<std::int16_t>()),
          count};
}

// This rank's partial sums, one after the other; the transport adds those of all ranks.
void DeviceSum::plan_native(std::span<float* const> partials) {
  std::vector<int> program;
  for (int i = 0; i < static_cast<int>(partials.size()); ++i) {
    program.push_back(i);
    if (i > 0) program.push_back(kAdd);
  }
  rounds_.emplace_back().additions.push_back(
      addition(program, std::vector<const float*>(partials.begin(), partials.end()), size_,
               rounded_, values().data()));
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
    for (const gpu::Packed& each : round.sent) {
      launch(accelerator_, gpu::kPack, grid_of(each.count), each);
    }
    if (!round.out.empty() || !round.in.empty()) transport_.exchange(round.out, round.in);
    for (const gpu::Packed& each : round.received) {
      launch(accelerator_, gpu::kUnpack, grid_of(each.count), each);
    }
  }
  if (reduction_ == Reduction::kNative && transport_.world_size() > 1) {
    transport_.native_sum(values());
  }
}

}  // namespace lockstep
