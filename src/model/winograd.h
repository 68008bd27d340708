// A convolution with a kernel of 3x3 and a stride of 1 by Winograd's algorithm
// (winograd_kernels.h): of a loop over taps it takes one product of 2.25 in bf16 and of 4 in fp32.
// Results are off by two or three times as much as those of DirectConv; in bf16 as the transformed
// inputs, weights and gradients are rounded once more. Internal to the model room; one thread at a
// time. What is transformed lies in buffers that all layers of a thread share.
#pragma once

#include <cstdint>

#include "lockstep/model/options.h"
#include "model/conv_form.h"
#include "model/winograd_kernels.h"

namespace lockstep {

// Whether it is the faster way; by the form alone, so that every processor gives the same bits.
bool suits_winograd(const ConvForm& form);

// Of the buffers that a thread needs for it.
std::int64_t winograd_bytes(const ConvForm& form, Precision precision);

// Images cut into tiles of outputs, row after row; those of the last row and column may have
// outputs that there are not.
struct TileMap {
  std::int64_t side;  // of a tile
  ImageShape in, out;
  std::int64_t rows_before, columns_before;  // zeros around the inputs
  std::int64_t down, across;                 // tiles of an image

  TileMap(std::int64_t side, const ImageShape& in, const ImageShape& out, std::int64_t rows_before,
          std::int64_t columns_before);
};

// In and Out as in conv_kernels.h.
template <typename In, typename Out>
class WinogradConv {
 public:
  using Kernels = WinogradKernels<In, Out>;
  using Value = Out;

  WinogradConv(const WinogradKernels<In, Out>& kernels, const ConvForm& form);

  // As those of DirectConv.
  void forward(std::int64_t samples, const Out* x, const Out* weight, const Out* bias, Out* y);
  void backward(std::int64_t samples, const Out* x, const Out* dy, const Out* weight,
                float* dweight, Out* dx);

 private:
  // Inputs or gradients of some tiles.
  struct Turned {
    const In* values;   // [places, tiles, channels]
    std::int64_t step;  // from place to place
    std::int64_t tiles, channels;
  };

  // Filters whose weights lie side by side, [places, filters / group, units, group] units.
  std::int64_t group(std::int64_t filters) const;
  // From place to place of weights, or of their sums.
  template <typename T>
  std::int64_t weights_step() const;
  const Out* turned_weights(const Out* weight) const;
  const In* forward_weights(const Out* weight) const;
  const In* backward_weights(const Out* weight) const;
  void correlate(const TileMap& map, std::int64_t samples, const Out* x, const In* weights,
                 const Out* bias, Out* y) const;
  void correlate_tiles(const Turned& turned, const In* weights, std::int64_t filters,
                       const Out* bias, Out* const* pixels) const;
  void sum_weights(std::int64_t samples, const Out* x, const Out* dy, float* dweight) const;
  void add_products(const Turned& inputs, const Turned& gradients, Sums mode, float* sums) const;

  const WinogradKernels<In, Out>& kernels_;
  ConvForm form_;
  TileMap forward_, backward_;
};

extern template class WinogradConv<float, float>;
extern template class WinogradConv<Bf16Bits, Bf16Bits>;
extern template class WinogradConv<float, Bf16Bits>;

}  // namespace lockstep
