// The inner loops of convolutions and dense layers: sums of products that stay in
// registers while many products are added. Compiled for several instruction sets
// (conv_kernels.inc); pure functions of their arguments; any thread. Every sum has an
// order that depends on its own products alone, so that a sample's result is the same in
// any batch.
//
// In is what is multiplied: float, or std::uint16_t for the bits of bf16, of which an
// instruction adds the products of two neighbours, the second one's first. A unit is one
// value of fp32, or a pair of bf16. Out is what is stored. Where that instruction is slow, In
// is float and Out bf16: the products of the second values, then those of the first, each
// added by an instruction of its own, give the same bits. Instructions for tiles add up to 16 pairs
// at once, in another order (conv_bf16_tiled.cpp).
#pragma once

#include <cstdint>

namespace lockstep {

// Filters are dealt with in groups of 16, 32 or 48, whose weights lie side by side.
inline constexpr int kFiltersOfVector = 16;

// Neighbouring inputs of an output, which meet neighbouring weights.
struct TapStretch {
  std::int64_t x;        // values after the output's first input
  std::int64_t weights;  // units after the group's first
  std::int64_t units;
};

// Outputs at one distance from one another that take the same weights: for n in [0, count)
// and every filter f of the group
//   y[n y_step + f] = bias[f] + sum over stretches and units of x[n x_step + ...] w[..., f];
// or `repeats` of them, whose x, weights and y lie so many values apart.
template <typename In, typename Out>
struct OutputRun {
  const TapStretch* stretches;
  std::int64_t stretch_count;
  std::int64_t count;
  const In* x;
  std::int64_t x_step;
  const In* weights;          // [units, filters of the group], a unit being one or two values
  std::int64_t weights_step;  // values from unit to unit
  const Out* bias;            // [filters of the group], or null for zeros
  const Out* output_bias;     // [count] instead, or null
  Out* y;
  std::int64_t y_step;
  int vectors;  // of 16 filters in the group: 1 to most_vectors
  int filters;  // of the group that there are; the others' weights are zeros
  std::int64_t repeats = 1;
  std::int64_t x_repeat = 0, weights_repeat = 0, y_repeat = 0;
  // Where ConvKernels::in_tiles, of each `period` outputs only the first `period_outputs` are
  // wanted, and their y begin y_period after those before; 0: all are.
  std::int64_t period = 0, period_outputs = 0, y_period = 0;
};

// Whether sums begin, or are added to what is there.
enum class Sums { kBegin, kAdd };

// sums[r, c] (+)= sum over k of left[k, r] right[k, c]; k counts through three loops, the last
// one the inmost.
template <typename In>
struct ProductSum {
  std::int64_t counts[3];
  std::int64_t left_steps[3];   // values
  std::int64_t right_steps[3];  // values
  const In* left;               // of the first k: [rows] units, side by side or left_row apart
  const In* right;              // of the first k: [columns] units
  std::int64_t rows;
  std::int64_t columns;  // a multiple of 16
  float* sums;
  std::int64_t sums_step;  // from row to row
  Sums mode;
  std::int64_t left_row = 0;  // values, where ConvKernels::in_tiles
};

template <typename In, typename Out>
struct ConvKernels {
  int most_vectors;  // of a group of filters
  void (*correlate)(const OutputRun<In, Out>& run);
  void (*add_products)(const ProductSum<In>& sum);
  // Whether by instructions for tiles. Of left factors those of neighbouring k lie side by side
  // then, and not those of neighbouring rows: left_steps[2] is a unit.
  bool in_tiles = false;
};

using Bf16Bits = std::uint16_t;

// The kernels for this processor. Null where it has no instructions for them.
const ConvKernels<float, float>* fp32_conv_kernels();
// Only where has_bf16_instructions(): by its instruction for pairs, and by that for fp32.
const ConvKernels<Bf16Bits, Bf16Bits>& paired_conv_kernels();
const ConvKernels<float, Bf16Bits>& widened_conv_kernels();
// By the instruction for tiles; other bits. Null where the processor has none.
const ConvKernels<Bf16Bits, Bf16Bits>* tiled_conv_kernels();

// Rearranging, for all of them.
struct ArrangeKernels {
  // to [columns, rows], its rows to_step apart, from [rows, columns], its rows from_step
  // apart; values of 32 bits.
  void (*transpose)(const void* from, std::int64_t rows, std::int64_t columns,
                    std::int64_t from_step, void* to, std::int64_t to_step);
  // to[i] = {a[i], b[i]} for count values.
  void (*interleave)(const Bf16Bits* a, const Bf16Bits* b, std::int64_t count, Bf16Bits* to);
  // to[i] = from[i], for count values.
  void (*widen)(const Bf16Bits* from, std::int64_t count, float* to);
  // The same, the second of each two values first; count even.
  void (*widen_turned)(const Bf16Bits* from, std::int64_t count, float* to);
  // to [rows, 2, count]: the second values of a row's `count` pairs, then the first ones.
  void (*split_pairs)(const Bf16Bits* pairs, std::int64_t rows, std::int64_t count, float* to);
  // [samples, pixels, channels] to [pixels, samples / 2, channels, 2]; an odd number of
  // samples is completed by one of zeros.
  void (*pair_samples)(const Bf16Bits* from, std::int64_t samples, std::int64_t pixels,
                       std::int64_t channels, Bf16Bits* to);
  // The same to [pixels, samples, channels], the second of each two samples first.
  void (*widen_samples)(const Bf16Bits* from, std::int64_t samples, std::int64_t pixels,
                        std::int64_t channels, float* to);
  // `count` rows of `values` values, each completed by zeros up to `room`; steps between
  // rows in values.
  void (*copy_floats)(const float* from, std::int64_t from_step, std::int64_t count,
                      std::int64_t values, std::int64_t room, float* to, std::int64_t to_step);
  void (*copy_bf16)(const Bf16Bits* from, std::int64_t from_step, std::int64_t count,
                    std::int64_t values, std::int64_t room, Bf16Bits* to, std::int64_t to_step);
};

const ArrangeKernels& arrange_kernels();

}  // namespace lockstep
