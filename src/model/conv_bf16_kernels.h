// The inner loops of bf16 convolution for processors with AVX-512 BF16, whose
// instruction adds the products of 16 pairs of bf16 values to 16 fp32 sums. Pure
// functions of their arguments; any thread. Their sums have a fixed order, so
// that a sample's result does not depend on the batch that it is in.
//
// Activations are [samples, height, width, channels] in bf16 bits, contiguous.
#pragma once

#include <cstdint>

namespace lockstep {

// y[n, i, j, f] = sum over u, v, c of x[n, i + u - top, j + v, c] w[u, v, c, f]
// for u, v in [0, kernel); rows above and below x count as zeros. Stride 1.
struct Correlation {
  std::int64_t samples;
  std::int64_t height, width, channels;         // of x
  std::int64_t out_height, out_width, filters;  // of y
  std::int64_t kernel;
  std::int64_t top;

  // The kernel's row and channels as one index, two at a time, rounded up.
  std::int64_t taps() const { return kernel * channels; }
  std::int64_t tap_pairs() const { return (taps() + 1) / 2; }
  std::int64_t pixel_pairs() const { return (out_width + 1) / 2; }
};

struct ConvBf16Kernels {
  // y from x and `weights` [kernel, tap_pairs, filters, 2]. `bias` [filters] in
  // bf16 or null. Filters: a multiple of 16. Odd taps: reads one value past the
  // end of x, to multiply it by the zero that completes the last pair.
  void (*correlate)(const Correlation& form, const std::uint16_t* x, const std::uint16_t* weights,
                    const std::uint16_t* bias, std::uint16_t* y);
  // sums[u, (v, c), f] += the gradient of w, from x_pairs [samples, height, width,
  // channels, 2] and dy_pairs [samples, out_height, pixel_pairs, filters, 2].
  void (*correlate_weights)(const Correlation& form, const std::uint16_t* x_pairs,
                            const std::uint16_t* dy_pairs, float* sums);
  // to[i] = {a[i], b[i]} for count values.
  void (*interleave)(const std::uint16_t* a, const std::uint16_t* b, std::int64_t count,
                     std::uint16_t* to);
  // to[i] = {row i step, the row after it}, both of `size` values; a last row
  // without another after it comes with zeros.
  void (*pair_rows)(const std::uint16_t* rows, std::int64_t count, std::int64_t size,
                    std::int64_t step, std::uint16_t* to);
  // to [columns, rows] = from [rows, columns] of 32-bit values.
  void (*transpose)(const void* from, std::int64_t rows, std::int64_t columns, void* to);
};

// Only where has_bf16_instructions().
extern const ConvBf16Kernels kConvBf16Kernels;

}  // namespace lockstep
