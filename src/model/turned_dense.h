// The forward pass of a dense layer of few samples: the samples take the place of the
// filters, so that it is they that are rearranged and not the weights, which are many more.
// The bits are those of DirectConv. Internal to the model room; one thread at a time.
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

#include "model/conv_kernels.h"

namespace lockstep {

// In and Out as in conv_kernels.h.
template <typename In, typename Out>
class TurnedDense {
 public:
  // Inputs: whole units.
  TurnedDense(const ConvKernels<In, Out>& kernels, std::int64_t inputs, std::int64_t units)
      : kernels_(kernels), inputs_(inputs), units_(units) {}

  // More samples would read the weights too often; a copy of many weights is too large.
  bool suits(std::int64_t samples) const {
    return samples <= kMostSamples && (std::is_same_v<In, Out> || inputs_ * units_ <= kMostWidened);
  }

  // y [samples, units] from x [samples, inputs], weight [units, inputs] and bias [units] or
  // null.
  void forward(std::int64_t samples, const Out* x, const Out* weight, const Out* bias, Out* y);

 private:
  static constexpr std::int64_t kMostSamples = 64;
  static constexpr std::int64_t kMostWidened = std::int64_t{1} << 21;  // values, 8 MiB

  const In* widened(const Out* from, std::int64_t count, std::vector<In>& to) const;
  void arrange_samples(std::int64_t samples, const In* x, std::int64_t group);

  const ConvKernels<In, Out>& kernels_;
  std::int64_t inputs_, units_;
  std::vector<In> wide_x_, wide_weight_;  // where In is wider than Out
  std::vector<In> samples_;               // [inputs in units, group]
  std::vector<Out> turned_;               // y, [units, group]
};

extern template class TurnedDense<float, float>;
extern template class TurnedDense<Bf16Bits, Bf16Bits>;
extern template class TurnedDense<float, Bf16Bits>;

}  // namespace lockstep
