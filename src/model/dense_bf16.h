// One dense layer in bf16 by the kernels of conv_bf16_kernels.h, to which it is a
// convolution with a kernel of 1 along a row of samples. Internal to the model
// room; one thread at a time, a lane's own. The buffers are kept from step to step.
#pragma once

#include <cstdint>
#include <vector>

#include "model/conv_bf16_kernels.h"

namespace lockstep {

class DenseBf16 {
 public:
  // Whether this processor and layer are of the kind that the kernels are for:
  // inputs and units are multiples of 16.
  static bool can_train(std::int64_t inputs, std::int64_t units);

  DenseBf16(std::int64_t inputs, std::int64_t units);

  // y [samples, units] from x [samples, inputs], weight [units, inputs] and bias
  // [units] or null; all bf16.
  void forward(std::int64_t samples, const std::uint16_t* x, const std::uint16_t* weight,
               const std::uint16_t* bias, std::uint16_t* y);

  // dx, of x's shape in bf16, from dy, of y's.
  void backward_input(std::int64_t samples, const std::uint16_t* dy, const std::uint16_t* weight,
                      std::uint16_t* dx);

  // dweight, of the weight's shape in fp32.
  void backward_weight(std::int64_t samples, const std::uint16_t* x, const std::uint16_t* dy,
                       float* dweight);

 private:
  const ConvBf16Kernels& kernels_;
  std::int64_t inputs_;
  std::int64_t units_;
  std::vector<std::uint16_t> weights_;  // as the kernels want them
  std::vector<std::uint16_t> x_pairs_;
  std::vector<std::uint16_t> dy_pairs_;
};

}  // namespace lockstep
