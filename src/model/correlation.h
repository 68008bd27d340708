// A correlation of images with weights, cut into the runs that the kernels of
// conv_kernels.h are for. Outputs at the margin take fewer taps than others: those that
// take the same are a region, so that nothing is multiplied by a margin's zeros and no
// image is copied to have a margin; kernels of tiles, which want many outputs at once, get copies
// that have it. Internal to the model room; immutable, any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "model/conv_kernels.h"

namespace lockstep {

// One direction of a correlation: output o meets inputs o step + t dilation - before, t in
// [0, taps), as far as they are in [0, inputs). It is stored at first + o apart.
struct Axis {
  std::int64_t inputs;
  std::int64_t outputs;
  std::int64_t taps;
  std::int64_t step = 1;
  std::int64_t dilation = 1;
  std::int64_t before = 0;
  std::int64_t first = 0;
  std::int64_t apart = 1;
  std::int64_t stored = 0;  // outputs of all correlations that are stored in turns

  std::int64_t input(std::int64_t output, std::int64_t tap) const {
    return output * step + tap * dilation - before;
  }
};

// Neighbours, those of the one in [begin, end), those of the other in [tap_begin, tap_end).
struct Span {
  std::int64_t begin, end;
  std::int64_t tap_begin, tap_end;
};

// The outputs by the taps that they meet, in order.
std::vector<Span> spans_by_output(const Axis& axis);
// For each tap the outputs that meet it.
std::vector<Span> spans_by_tap(const Axis& axis);

// Where the weights of a group begin, and how far apart those of its units lie; in values.
template <typename In>
struct WeightPlaces {
  const In* first;
  std::int64_t group_step;
  std::int64_t unit_step;
};

// y[n, i, j, f] = bias[f] + sum over u, v, c of x[n, i', j', c] w[u, v, c, f], i' and j' being
// the inputs of the axes. In and Out as in conv_kernels.h.
template <typename In, typename Out>
class Correlation {
 public:
  // `channels` of x: whole units.
  Correlation(const ConvKernels<In, Out>& kernels, const Axis& rows, const Axis& columns,
              std::int64_t channels, std::int64_t filters);

  // Units of the weights of one filter.
  std::int64_t units() const;
  // Filters whose weights lie side by side: the weights are [filters / group rounded up,
  // units, group] units; those of filters that there are not, zeros.
  std::int64_t group() const { return vectors_ * kFiltersOfVector; }
  std::int64_t padded_filters() const { return (filters_ + group() - 1) / group() * group(); }

  // So many samples make full use of the kernels, and stay in a core's cache as fp32 when
  // each has so many values.
  std::int64_t block(std::int64_t values) const;

  // `bias` [padded_filters()] or null.
  void run(std::int64_t samples, const In* x, const In* weights, const Out* bias, Out* y) const;
  // The same with weights that lie elsewhere.
  void run(std::int64_t samples, const In* x, const WeightPlaces<In>& weights, const Out* bias,
           Out* y) const;

 private:
  struct Region {
    Span rows, columns;
    std::vector<TapStretch> stretches;
  };
  std::vector<TapStretch> stretches(const Span& rows, const Span& columns) const;
  void run_region(const Region& region, std::int64_t samples, OutputRun<In, Out> run) const;
  const In* with_margins(std::int64_t samples, const In* x) const;

  const ConvKernels<In, Out>& kernels_;
  Axis given_rows_, given_columns_;  // before that
  Axis rows_, columns_;
  std::int64_t channels_, filters_;
  int vectors_;
  bool copies_images_;  // so that they have the margins that outputs meet
  bool joins_rows_;     // of outputs, with those between two rows, which nobody wants
  std::vector<Region> regions_;
};

extern template class Correlation<float, float>;
extern template class Correlation<Bf16Bits, Bf16Bits>;
extern template class Correlation<float, Bf16Bits>;

}  // namespace lockstep
