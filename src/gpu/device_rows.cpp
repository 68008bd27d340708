#include "gpu/device_rows.h"

#include <algorithm>
#include <cstring>

#include "gpu/device.h"

namespace lockstep {

namespace {

// Of rows that are copied to the device at once: of more, the host may not have a second copy.
constexpr std::int64_t kPieceBytes = 64 << 20;

at::Tensor device_bytes(const Accelerator& accelerator, std::int64_t count) {
  return at::empty({count}, at::TensorOptions(at::kByte).device(device_of(accelerator)));
}

std::uint64_t bytes_of_all(const TrainingData& data, std::int64_t row_bytes) {
  std::int64_t rows = 0;
  const Range owned = data.owned_lanes();
  for (std::int64_t lane = owned.first; lane < owned.last; ++lane) {
    rows += data.lane_size(static_cast<int>(lane));
  }
  return static_cast<std::uint64_t>(rows * row_bytes);
}

}  // namespace

DeviceRows::DeviceRows(Accelerator& accelerator, const TrainingData& data, int global_batch,
                       std::int64_t most_samples)
    : row_bytes_(data.shape().pixels() * static_cast<std::int64_t>(bytes_of(data.pixel_type()))),
      lanes_(data.owned_lanes().size()),
      most_samples_(most_samples),
      steps_(data.steps_per_epoch(global_batch)) {
  if (residence_on(accelerator, bytes_of_all(data, row_bytes_)) == RowResidence::kResident) {
    make_resident(accelerator, data);
  } else {
    make_stream(accelerator, data, global_batch);
  }
}

void DeviceRows::make_resident(Accelerator& accelerator, const TrainingData& data) {
  const std::int64_t piece = std::max<std::int64_t>(kPieceBytes / row_bytes_, 1);
  std::vector<std::byte> values;
  for (std::int64_t place = 0; place < lanes_; ++place) {
    const auto lane = static_cast<int>(data.owned_lanes().first + place);
    const std::int64_t slots = data.lane_size(lane);
    resident_.push_back(device_bytes(accelerator, slots * row_bytes_));
    for (std::int64_t first = 0; first < slots; first += piece) {
      const std::int64_t last = std::min(first + piece, slots);
      values.clear();
      for (std::int64_t slot = first; slot < last; ++slot) {
        const auto row = data.lane_pixels(lane, slot).raw();
        values.insert(values.end(), row.begin(), row.end());
      }
      resident_.back()
          .slice(0, first * row_bytes_, last * row_bytes_)
          .copy_(at::from_blob(values.data(), {(last - first) * row_bytes_}, at::kByte));
    }
  }
}

void DeviceRows::make_stream(Accelerator& accelerator, const TrainingData& data, int global_batch) {
  const std::int64_t lane_bytes = most_samples_ * row_bytes_;
  const std::int64_t place_bytes = lanes_ * lane_bytes;
  streamed_ = device_bytes(accelerator, RowStream::kPlaces * place_bytes);
  const auto gather = [&data, global_batch, steps = steps_, lanes = lanes_, lane_bytes](
                          std::int64_t step, std::span<std::byte> to) {
    for (std::int64_t place = 0; place < lanes; ++place) {
      data.copy_pixels(static_cast<int>(data.owned_lanes().first + place),
                       static_cast<int>(step / steps), step % steps, global_batch,
                       to.subspan(static_cast<std::size_t>(place * lane_bytes),
                                  static_cast<std::size_t>(lane_bytes)));
    }
  };
  stream_ = std::make_unique<RowStream>(
      accelerator.make_feed(reinterpret_cast<std::byte*>(streamed_.data_ptr<std::uint8_t>()),
                            static_cast<std::size_t>(place_bytes), RowStream::kPlaces),
      gather);
}

RowResidence DeviceRows::residence() const {
  return stream_ == nullptr ? RowResidence::kResident : RowResidence::kStreamed;
}

const void* DeviceRows::lane(std::int64_t place) const {
  if (stream_ == nullptr) {
    return resident_[static_cast<std::size_t>(place)].const_data_ptr<std::uint8_t>();
  }
  return streamed_.const_data_ptr<std::uint8_t>() + place * most_samples_ * row_bytes_;
}

void DeviceRows::begin_step(int epoch, std::int64_t step) {
  if (stream_ != nullptr) place_ = stream_->begin_step(epoch * steps_ + step);
}

void DeviceRows::end_step() {
  if (stream_ != nullptr) stream_->end_step();
}

std::int64_t DeviceRows::slot_in_memory(std::int64_t index, std::int64_t slot) const {
  return stream_ == nullptr ? slot : place_ * lanes_ * most_samples_ + index;
}

}  // namespace lockstep
