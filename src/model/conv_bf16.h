// One convolution layer in bf16 by the kernels of conv_bf16_kernels.h: rearranges
// weights and activations for them. Internal to the model room; one thread at a
// time, a lane's own. The buffers are kept from step to step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/model/graph.h"
#include "model/conv_bf16_kernels.h"

namespace lockstep {

class ConvBf16 {
 public:
  // Whether this processor and layer are of the kind that the kernels are for:
  // stride 1, neither groups nor dilation, filters a multiple of 16, and so are the channels
  // where the input's gradient is wanted.
  static bool can_train(const ConvOp& conv, const ImageShape& in, const ImageShape& out,
                        bool input_gradient);

  ConvBf16(const ConvOp& conv, const ImageShape& in, const ImageShape& out);

  // y [samples, out.height, out.width, out.channels] from x [samples, in.height,
  // in.width, in.channels], weight [filters, kernel, kernel, channels] and bias
  // [filters] or null; all bf16.
  void forward(std::int64_t samples, const std::uint16_t* x, const std::uint16_t* weight,
               const std::uint16_t* bias, std::uint16_t* y);

  // From dy, of y's shape in bf16: dweight, of the weight's shape in fp32, and dx, of
  // x's shape in bf16, unless it is null.
  void backward(std::int64_t samples, const std::uint16_t* x, const std::uint16_t* dy,
                const std::uint16_t* weight, float* dweight, std::uint16_t* dx);

 private:
  using Values = std::vector<std::uint16_t>;

  const std::uint16_t* with_columns(const std::uint16_t* x, std::int64_t rows, std::int64_t width,
                                    std::int64_t channels, std::int64_t left, std::int64_t right);
  void arrange_weight(const std::uint16_t* weight);
  void arrange_weight_for_input(const std::uint16_t* weight);
  void add_to_weight_sums(const std::uint16_t* x, const std::uint16_t* dy);
  void correlate_back(const std::uint16_t* dy, std::uint16_t* dx);
  void pair_pixels(const std::uint16_t* x);
  void pair_outputs(const std::uint16_t* dy);

  const ConvBf16Kernels& kernels_;
  Correlation forward_;   // x to y
  Correlation backward_;  // dy to dx
  std::int64_t left_;     // columns of zeros around x
  std::int64_t right_;
  Values weights_;           // as the kernels want them
  Values widened_;           // x or dy with columns of zeros
  Values x_pairs_;           // of a few samples
  Values dy_pairs_;          // of a few samples
  std::vector<float> sums_;  // [kernel, kernel, channels, filters]
};

}  // namespace lockstep
