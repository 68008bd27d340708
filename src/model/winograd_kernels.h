// The inner loops of convolutions with kernels of 3x3 by tiles of outputs, Winograd's
// F(2x2, 3x3) and F(4x4, 3x3): Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks"
// (2016), section 4. With tiles y of 2x2 outputs, d of 4x4 inputs, and kernels g
//   y = A^T [sum over channels of (G g G^T) (B^T d B)] A
// products within brackets being value by value: 16 of them where a loop over taps takes 36; of 4x4
// outputs and 6x6 inputs 36 where a loop takes 144. So there are 16 or 36 places, and at each the
// sum is a product of matrices. The gradient of d is the same with g turned by half a circle, and
//   dg = G^T [sum over tiles of (B^T d B) (A dy A^T)] G.
// The larger tiles have factors further apart: in fp32 results are off by two or three times as
// much as those of loops over taps, but what is rounded to bf16 between would be off by 1 %, so
// bf16 has the smaller ones. Compiled for several instruction sets (winograd_kernels.inc); pure
// functions of their arguments; any thread. In and Out as in conv_kernels.h; channels are multiples
// of 16.
#pragma once

#include <cstdint>

#include "model/conv_kernels.h"

namespace lockstep {

// Outputs of a side of a tile, in a convolution of such values.
template <typename Out>
inline constexpr int kTileSide = sizeof(Out) == sizeof(float) ? 4 : 2;

inline constexpr int kKernelPlaces = 9;  // of 3x3

// Pixels of a row of `tiles` tiles that stand side by side: with the side s of inputs
// [s + 2, s tiles + 2], of outputs [tiles, s, s]. What a tile gives has `channels` values, a tile's
// after those of the one before, and lies at p step for place p.
template <typename In, typename Out>
struct WinogradKernels {
  const ConvKernels<In, float>* products;

  // B^T d B.
  void (*inputs)(const Out* const* pixels, std::int64_t tiles, std::int64_t channels, In* to,
                 std::int64_t step);
  // Of two rows of tiles, the second one's pixels after the first one's, a unit being one of bf16
  // of each; values of fp32, which are units by themselves, a tile of one row after that of the
  // other.
  void (*input_pairs)(const Out* const* pixels, std::int64_t tiles, std::int64_t channels, In* to,
                      std::int64_t step);
  // A dy A^T likewise.
  void (*gradient_pairs)(const Out* const* pixels, std::int64_t tiles, std::int64_t channels,
                         In* to, std::int64_t step);
  // A^T [sums] A, and the bias or null, to those channels of the pixels that begin with `first`.
  void (*outputs)(const float* sums, std::int64_t step, std::int64_t tiles, std::int64_t channels,
                  const Out* bias, std::int64_t first, Out* const* pixels);
  // G g G^T of the kernel [3, 3, channels].
  void (*weights)(const Out* kernel, std::int64_t channels, Out* to, std::int64_t step);
  // Of two kernels turned by half a circle, as of two tiles by input_pairs: for each `group` of
  // channels, group_step after the one before.
  void (*turned_weight_pairs)(const Out* first, const Out* second, std::int64_t channels,
                              std::int64_t group, In* to, std::int64_t step,
                              std::int64_t group_step);
  // G^T [sums] G, to [3, 3, channels].
  void (*weight_sums)(const float* sums, std::int64_t step, std::int64_t channels, float* to);
};

// For this processor, as those of conv_kernels.h.
const WinogradKernels<float, float>* fp32_winograd_kernels();
const WinogradKernels<Bf16Bits, Bf16Bits>& paired_winograd_kernels();
const WinogradKernels<float, Bf16Bits>& widened_winograd_kernels();

}  // namespace lockstep
