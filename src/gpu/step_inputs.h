// What the host tells the GPU for one step: the rule of the update, the keys of the
// dropout layers and the samples of every owned lane. The same layout in page-locked
// memory of the host and in the device's, copied as one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gpu/kernels/arguments.h"
#include "lockstep/core/share.h"
#include "lockstep/data/drawn_sample.h"

namespace lockstep {

class StepInputs {
 public:
  StepInputs(std::size_t dropout_layers, std::int64_t lanes, std::int64_t most_samples)
      : keys_(sizeof(gpu::StepRule)),
        samples_((keys_ + dropout_layers * 2 * sizeof(std::uint32_t) + kAlign - 1) / kAlign *
                 kAlign),
        most_samples_(static_cast<std::size_t>(most_samples)),
        bytes_(samples_ + static_cast<std::size_t>(lanes) * most_samples_ * sizeof(gpu::Sample)) {}

  std::size_t bytes() const { return bytes_; }

  // Of such memory at `base`; samples of the lane at `place` among the owned ones.
  static gpu::StepRule* rule(std::byte* base) { return reinterpret_cast<gpu::StepRule*>(base); }
  std::uint32_t* keys(std::byte* base) const {
    return reinterpret_cast<std::uint32_t*>(base + keys_);
  }
  gpu::Sample* samples(std::byte* base, std::int64_t place) const {
    return reinterpret_cast<gpu::Sample*>(base + samples_) +
           static_cast<std::size_t>(place) * most_samples_;
  }

 private:
  static constexpr std::size_t kAlign = alignof(gpu::Sample);

  std::size_t keys_;
  std::size_t samples_;
  std::size_t most_samples_;
  std::size_t bytes_;
};

// `slot`: where its row lies in the lane's memory.
inline gpu::Sample to_sample(const DrawnSample& drawn, std::int64_t slot) {
  return {.number = drawn.row,
          .slot = slot,
          .map = drawn.map,
          .change = drawn.change,
          .mix = drawn.mix,
          .label = drawn.label,
          .other_label = drawn.other_label};
}

}  // namespace lockstep
