// One convolution or dense layer by the kernels of conv_kernels.h: rearranges weights and
// activations for them. Internal to the model room; one thread at a time. What is rearranged
// lies in buffers that all layers of a thread share.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/conv_form.h"
#include "model/conv_kernels.h"
#include "model/correlation.h"
#include "model/unfolding.h"

namespace lockstep {

// In and Out as in conv_kernels.h; Out is the type of weights and activations.
template <typename In, typename Out>
class DirectConv {
 public:
  using Kernels = ConvKernels<In, Out>;
  using Value = Out;

  DirectConv(const ConvKernels<In, Out>& kernels, const ConvForm& form);

  // y [samples, out.height, out.width, out.channels] from x [samples, in.height,
  // in.width, in.channels], weight [filters, kernel, kernel, channels] and bias
  // [filters] or null.
  void forward(std::int64_t samples, const Out* x, const Out* weight, const Out* bias, Out* y);

  // From dy, of y's shape: dweight, of the weight's shape in fp32, and dx, of x's shape, but for
  // one that is null.
  void backward(std::int64_t samples, const Out* x, const Out* dy, const Out* weight,
                float* dweight, Out* dx);

  // Of the images that a thread arranges anew for those passes.
  std::int64_t buffer_bytes(std::int64_t samples) const;

 private:
  // The inputs i of i % stride alike, whose gradients come from the same taps.
  struct BackwardPart {
    Correlation<In, Out> correlation;
    std::vector<std::int64_t> taps;  // of the kernel, u kernel + v, in the correlation's order
    std::int64_t weights_first;      // where its weights lie among those of all parts
  };
  // Where the k of ProductSum lie in x and in dy.
  struct Places {
    std::int64_t samples;  // units of them
    std::int64_t x_sample, x_row, x_column;
    std::int64_t dy_sample, dy_row, dy_column;
    std::int64_t left_row = 0;
  };

  std::int64_t taps() const { return form_.kernel * form_.kernel; }
  // Whether the weights' sums are made as [taps, channels, filters].
  bool sums_by_channel() const { return form_.in.channels % kFiltersOfVector != 0 || unfolding_; }
  const Out* whole_bias(const Out* bias) const;
  // Of a row of sums that is made so: the filters, completed to whole vectors.
  std::int64_t sum_columns() const {
    return (form_.out.channels + kFiltersOfVector - 1) / kFiltersOfVector * kFiltersOfVector;
  }
  void turn_sums(float* dweight) const;
  void add_backward_parts();
  const In* arrange_weight(const Out* weight) const;
  void arrange_weight(const Out* weight, const BackwardPart& part, In* to) const;
  // Where weights need no rearranging for the gradient of the input.
  bool takes_stored_weight() const;
  void run_back(const BackwardPart& part, std::int64_t samples, const In* dy, const Out* weight,
                Out* dx) const;
  const In* inputs(const Out* x, std::int64_t values) const;
  bool is_one_product(std::int64_t samples, std::int64_t block) const;
  void add_to_weight_sums(std::int64_t samples, const Out* x, const Out* dy, Sums mode,
                          float* sums);
  void add_products(const Places& places, const In* x, const In* dy, Sums mode, float* sums) const;
  std::int64_t samples_at_once() const;
  std::int64_t rows_at_once(std::int64_t samples) const;
  ProductSum<In> product(const Places& places, const Span& u, const Span& v) const;

  const ConvKernels<In, Out>& kernels_;
  ConvForm given_;
  std::optional<Unfolding<Out>> unfolding_;     // where there are few channels
  ConvForm form_;                               // of what is unfolded
  Axis rows_, columns_;                         // of the forward pass
  std::vector<Span> row_spans_, column_spans_;  // by tap
  Correlation<In, Out> forward_;
  std::vector<BackwardPart> backward_;
  std::int64_t backward_weights_ = 0;  // values of all parts
};

extern template class DirectConv<float, float>;
extern template class DirectConv<Bf16Bits, Bf16Bits>;
extern template class DirectConv<float, Bf16Bits>;

}  // namespace lockstep
