// The loops of the model room that are bound by memory, compiled once for each
// of several instruction sets and chosen when the program starts. All of them are
// pure functions of their arguments; any thread.
//
// Activations are rows of channels: [rows, channels], contiguous, a row being a
// pixel of a sample. bf16 values are the upper halves of fp32 bits, all
// arithmetic is fp32.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lockstep {

struct Bf16 {
  std::uint16_t bits;
};

// y = relu_after(factor[c] * relu_before(x) + offset[c]), then dropout.
struct NormForm {
  std::int64_t rows;
  std::int64_t channels;
  bool relu_before;
  bool relu_after;
  float relu_limit;          // the most that relu_after gives
  const std::uint8_t* bits;  // random bytes [rows, channels], or null without dropout
  std::uint8_t drop_below;   // an element is dropped when its byte is below this
  float keep_scale;          // factor of the kept ones, 1 / (1 - rate)
};

// Relu, max pool, dropout over [samples, height, width, channels].
struct GateForm {
  std::int64_t samples;
  std::int64_t height, width, channels;  // of the input
  std::int64_t out_height, out_width;
  std::int64_t size, stride;  // of the pooling window
  std::int64_t padding = 0;   // pixels around the image that windows begin with; they never win
  bool relu;
  const std::uint8_t* bits;  // random bytes [samples, out_height, out_width, channels], or null
  std::uint8_t drop_below;
  float keep_scale;
};

// A convolution of each channel alone, 3x3, over [samples, height, width, channels].
struct DepthwiseForm {
  std::int64_t samples;
  std::int64_t height, width, channels;  // of the input; channels: a multiple of 16
  std::int64_t out_height, out_width;
  std::int64_t stride;     // 1 or 2
  std::int64_t top, left;  // rows of zeros above, columns left: 0 to 2
};

template <typename T>
struct TypedKernels {
  // Per channel: mean and (biased) variance of relu?(x) over rows.
  void (*moments)(const T* x, std::int64_t rows, std::int64_t channels, bool relu, float* mean,
                  float* variance);
  void (*norm_forward)(const NormForm& form, const T* x, const float* factor, const float* offset,
                       T* y);
  // Sums over rows, per channel, of d and of d relu_before(x), d being the gradient
  // at the batch norm's output that follows from `dy`.
  void (*norm_sums)(const NormForm& form, const T* x, const float* factor, const float* offset,
                    const T* dy, float* sum_d, float* sum_dx);
  // dx = (kd d + kx relu_before(x) + k1) where relu_before passes, else 0.
  void (*norm_backward)(const NormForm& form, const T* x, const float* factor, const float* offset,
                        const T* dy, const float* kd, const float* kx, const float* k1, T* dx);
  // y = relu_after(factor[c] x + offset[c] + added); the form has no relu before and no dropout.
  void (*norm_add_forward)(const NormForm& form, const T* x, const float* factor,
                           const float* offset, const T* added, T* y);
  // d = dy where the relu after such a sum, which gave y, passes, else 0; and the sums over rows
  // of d and of d x.
  void (*norm_add_sums)(const NormForm& form, const T* x, const T* y, const T* dy, T* d,
                        float* sum_d, float* sum_dx);
  // `code` [outputs]: the place in the window that won, or kClosed.
  void (*gate_forward)(const GateForm& form, const T* x, T* y, std::uint8_t* code);
  void (*gate_backward)(const GateForm& form, const T* dy, const std::uint8_t* code, T* dx);
  // y = scale[c] (x - mean) inverse + shift[c], mean and inverse = 1 / sqrt(variance + epsilon)
  // being of a row's channels; writes those, [rows] each.
  void (*layer_norm_forward)(const T* x, std::int64_t rows, std::int64_t channels, float epsilon,
                             const float* scale, const float* shift, T* y, float* mean,
                             float* inverse);
  // dx, and the gradients of scale and shift, as sums over rows; see model/group_norm.cpp.
  void (*layer_norm_backward)(const T* x, const T* dy, std::int64_t rows, std::int64_t channels,
                              const float* scale, const float* mean, const float* inverse, T* dx,
                              float* d_scale, float* d_shift);
  // sums[c] = sum over rows of x.
  void (*sum_rows)(const T* x, std::int64_t rows, std::int64_t channels, float* sums);
  // Weights and their sums [3, 3, channels]; bias [channels] or null; `zeros`, a row of them as
  // long as the longer one of x and y. The last one adds to `sums`.
  void (*depthwise_forward)(const DepthwiseForm& form, const T* x, const float* weights,
                            const float* bias, const T* zeros, T* y);
  // For a stride of 2: that of 1 is a forward pass from dy with turned taps.
  void (*depthwise_backward_input)(const DepthwiseForm& form, const T* dy, const float* weights,
                                   const T* zeros, T* dx);
  void (*depthwise_backward_weight)(const DepthwiseForm& form, const T* x, const T* dy,
                                    const T* zeros, float* sums);
};

struct Kernels {
  TypedKernels<float> fp32;
  TypedKernels<Bf16> bf16;
  void (*round_to_bf16)(const float* from, std::uint16_t* to, std::int64_t count);
  // `count` random bytes for a sample's elements: element e takes byte e % 4 of
  // word (e / 64) % 4 of the Philox block {16 (e / 256) + (e % 64) / 4, row lo,
  // row hi, 0}. Writes up to the next multiple of 256.
  void (*random_bytes)(const std::uint32_t key[2], std::uint64_t row, std::int64_t count,
                       std::uint8_t* bytes);

  template <typename T>
  const TypedKernels<T>& of() const;
};

template <>
inline const TypedKernels<float>& Kernels::of<float>() const {
  return fp32;
}
template <>
inline const TypedKernels<Bf16>& Kernels::of<Bf16>() const {
  return bf16;
}

// The kernels for this processor.
const Kernels& kernels();

// Bytes that random_bytes writes for `count` elements.
inline std::int64_t random_bytes_room(std::int64_t count) { return (count + 255) / 256 * 256; }

}  // namespace lockstep
