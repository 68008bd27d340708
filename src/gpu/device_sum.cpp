#include "gpu/device_sum.h"

#include <algorithm>

#include "gpu/device.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr std::int64_t kAlign = 64;  // floats: 256 bytes, as the device likes its memory

}  // namespace

DeviceSum::DeviceSum(Accelerator& accelerator, Transport& transport, int lanes, std::int64_t size,
                     Reduction reduction)
    : accelerator_(accelerator),
      transport_(transport),
      reduction_(reduction),
      plan_(lanes, size, transport.world_size(), transport.rank()),
      size_(size),
      lane_floats_((size + kAlign - 1) / kAlign * kAlign) {
  const auto partials = static_cast<std::int64_t>(plan_.partials.size());
  const std::int64_t own = plan_.lanes.size();
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
    own_.push_back(addition(program, own_lanes, size, values.back()));
  }
  reduction == Reduction::kOrdered ? plan_ordered(values) : plan_native(values);
}

std::span<float> DeviceSum::lane(std::int64_t lane) const {
  const Range& owned = plan_.lanes;
  if (!owned.contains(lane)) {
    fail_internal("lane {} of a sum; expected one of [{}, {})", lane, owned.first, owned.last);
  }
  return {buffer(lane - owned.first), static_cast<std::size_t>(size_)};
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
                                        float* to) const {
  std::vector<std::int64_t> addresses;
  for (const float* each : values) addresses.push_back(reinterpret_cast<std::int64_t>(each));
  return {to_device<std::int64_t>(accelerator_, addresses, at::kLong),
          to_device<int>(accelerator_, program, at::kInt), count, to};
}

void DeviceSum::plan_ordered(std::span<float* const> partials) {
  received_ =
      device_zeros(accelerator_, std::max<std::int64_t>(plan_.received_size(), 1), at::kFloat);
  auto* received = received_.data_ptr<float>();
  exchange_ = plan_.exchange(partials, received, values().data());
  const std::int64_t count = plan_.slice().size();
  if (count == 0) return;
  rest_.push_back(addition(plan_.program, exchange_.addends, count, exchange_.sum));
}

// This rank's partial sums, one after the other; the transport adds those of all ranks.
void DeviceSum::plan_native(std::span<float* const> partials) {
  std::vector<int> program;
  for (int i = 0; i < static_cast<int>(partials.size()); ++i) {
    program.push_back(i);
    if (i > 0) program.push_back(kAdd);
  }
  rest_.push_back(addition(program, std::vector<const float*>(partials.begin(), partials.end()),
                           size_, values().data()));
}

void DeviceSum::add(const Addition& addition) {
  launch(accelerator_, gpu::kAddAlongTree, grid_of(addition.count),
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
  if (!alone && reduction_ == Reduction::kOrdered) {
    transport_.exchange(exchange_.partials_out, exchange_.partials_in);
  }
  for (const Addition& each : rest_) add(each);
  if (alone) return;
  if (reduction_ == Reduction::kNative) {
    transport_.native_sum(values());
  } else {
    transport_.exchange(exchange_.slices_out, exchange_.slices_in);
  }
}

}  // namespace lockstep
