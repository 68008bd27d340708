#include "model/direct_conv.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "model/conv_axes.h"
#include "model/conv_buffers.h"
#include "model/loops.h"
#include "model/paired_samples.h"
#include "model/resized.h"

namespace lockstep {

namespace {

template <typename In>
constexpr std::int64_t kUnit = sizeof(float) / sizeof(In);

// Of x and dy, that stay near a core while all weights' sums are gone through; but enough of
// them for a sum to stay in its register for a while.
constexpr std::int64_t kRowsValues = 16 * 1024;
constexpr std::int64_t kProductsOfRows = 128;
constexpr std::int64_t kEnoughProducts = 8;    // one after the other, for a sum
constexpr std::int64_t kSamplesOfStrides = 8;  // at once, where a row's pixels are not all used
// The same by kernels whose left factors lie by rows: more at once, as many as fill their parts.
constexpr std::int64_t kRowsValuesOfTiles = 512 * 1024;
constexpr std::int64_t kBlockValuesOfTiles = 1024 * 1024;
constexpr std::int64_t kSamplesOfTiles = 32;

ConvForm unfolded(const ConvForm& form, std::int64_t channels) {
  return {.in = {form.out.height, form.out.width, static_cast<int>(channels)},
          .out = form.out,
          .input_gradient = false};
}

template <typename T>
void clear_columns(T* rows, std::int64_t count, std::int64_t size, std::int64_t first) {
  for (std::int64_t i = 0; i < count; ++i)
    std::fill(rows + i * size + first, rows + (i + 1) * size, T{});
}

}  // namespace

template <typename In, typename Out>
DirectConv<In, Out>::DirectConv(const ConvKernels<In, Out>& kernels, const ConvForm& form)
    : kernels_(kernels),
      given_(form),
      unfolding_(unfolds(form) ? std::make_optional<Unfolding<Out>>(form) : std::nullopt),
      form_(unfolding_ ? unfolded(form, unfolding_->channels()) : form),
      rows_(forward_axis(form_, rows_of(form_))),
      columns_(forward_axis(form_, columns_of(form_))),
      row_spans_(spans_by_tap(rows_)),
      column_spans_(spans_by_tap(columns_)),
      forward_(kernels, rows_, columns_, form_.in.channels, form_.out.channels) {
  if (form_.input_gradient) add_backward_parts();
}

template <typename In, typename Out>
void DirectConv<In, Out>::add_backward_parts() {
  for (std::int64_t row = 0; row < std::min<std::int64_t>(form_.stride, form_.in.height); ++row) {
    for (std::int64_t column = 0; column < std::min<std::int64_t>(form_.stride, form_.in.width);
         ++column) {
      std::vector<std::int64_t> taps;
      for (const std::int64_t u : backward_taps(form_, rows_of(form_), row)) {
        for (const std::int64_t v : backward_taps(form_, columns_of(form_), column)) {
          taps.push_back(u * form_.kernel + v);
        }
      }
      backward_.push_back({Correlation<In, Out>(kernels_, backward_axis(form_, rows_of(form_), row),
                                                backward_axis(form_, columns_of(form_), column),
                                                form_.out.channels, form_.in.channels),
                           std::move(taps), backward_weights_});
      const Correlation<In, Out>& added = backward_.back().correlation;
      backward_weights_ += added.units() * kUnit<In> * added.padded_filters();
    }
  }
}

template <typename In, typename Out>
void DirectConv<In, Out>::forward(std::int64_t samples, const Out* x, const Out* weight,
                                  const Out* bias, Out* y) {
  const In* weights = arrange_weight(weight);
  bias = whole_bias(bias);
  const std::int64_t block = forward_.block(form_.in.pixels());
  for (std::int64_t n = 0; n < samples; n += block) {
    const std::int64_t count = std::min(block, samples - n);
    const Out* from = x + n * given_.in.pixels();
    if (unfolding_) from = unfolding_->unfold(count, from);
    forward_.run(count, inputs(from, count * form_.in.pixels()), weights, bias,
                 y + n * form_.out.pixels());
  }
}

// With zeros for the filters that there are not.
template <typename In, typename Out>
const Out* DirectConv<In, Out>::whole_bias(const Out* bias) const {
  if (bias == nullptr || forward_.padded_filters() == form_.out.channels) return bias;
  Out* whole = resized(conv_buffers<In, Out>().bias, forward_.padded_filters());
  std::fill_n(std::copy_n(bias, form_.out.channels, whole),
              forward_.padded_filters() - form_.out.channels, Out{});
  return whole;
}

// A few samples at a time: what is read twice is in the core's cache then.
template <typename In, typename Out>
void DirectConv<In, Out>::backward(std::int64_t samples, const Out* x, const Out* dy,
                                   const Out* weight, float* dweight, Out* dx) {
  const std::int64_t rows = taps() * form_.in.channels;
  const bool wants_sums = dweight != nullptr;
  const std::int64_t size = rows * (sums_by_channel() ? sum_columns() : form_.out.channels);
  float* sums =
      wants_sums && sums_by_channel() ? resized(conv_buffers<In, Out>().sums, size) : dweight;
  if (dx != nullptr && !takes_stored_weight()) {
    In* to = resized(conv_buffers<In, Out>().weights, backward_weights_);
    for (const BackwardPart& part : backward_) {
      arrange_weight(weight, part, to + part.weights_first);
    }
  }
  const std::int64_t block = samples_at_once();
  const Sums mode = is_one_product(samples, block) ? Sums::kBegin : Sums::kAdd;
  if (wants_sums && mode == Sums::kAdd) std::fill_n(sums, size, 0.0F);
  for (std::int64_t n = 0; n < samples; n += block) {
    const std::int64_t count = std::min(block, samples - n);
    const Out* from = x + n * given_.in.pixels();
    const Out* d = dy + n * form_.out.pixels();
    if (wants_sums) {
      if (unfolding_) from = unfolding_->unfold(count, from);
      add_to_weight_sums(count, from, d, mode, sums);
    }
    if (dx == nullptr) continue;
    const In* wanted = inputs(d, count * form_.out.pixels());
    for (const BackwardPart& part : backward_) {
      run_back(part, count, wanted, weight, dx + n * form_.in.pixels());
    }
  }
  if (wants_sums && sums_by_channel()) turn_sums(dweight);
}

template <typename In, typename Out>
bool DirectConv<In, Out>::takes_stored_weight() const {
  return std::is_same_v<Out, float> && form_.kernel == 1 && form_.stride == 1 &&
         form_.in.channels % backward_.front().correlation.group() == 0;
}

template <typename In, typename Out>
void DirectConv<In, Out>::run_back(const BackwardPart& part, std::int64_t samples, const In* dy,
                                   const Out* weight, Out* dx) const {
  if constexpr (std::is_same_v<Out, float>) {
    if (takes_stored_weight()) {
      const std::int64_t group = part.correlation.group();
      const WeightPlaces<In> stored{weight, group, form_.in.channels};
      return part.correlation.run(samples, dy, stored, nullptr, dx);
    }
  }
  part.correlation.run(samples, dy, conv_buffers<In, Out>().weights.data() + part.weights_first,
                       nullptr, dx);
}

template <typename In, typename Out>
void DirectConv<In, Out>::turn_sums(float* dweight) const {
  const std::int64_t rows = taps() * form_.in.channels;
  const std::int64_t filters = form_.out.channels;
  float* to = unfolding_ ? resized(conv_buffers<In, Out>().turned, rows * filters) : dweight;
  arrange_kernels().transpose(conv_buffers<In, Out>().sums.data(), rows, filters, sum_columns(), to,
                              rows);
  if (unfolding_) unfolding_->narrow_rows(filters, to, dweight);
}

// [filters, kernel, kernel, channels] to forward_'s [filters / group, units, group].
template <typename In, typename Out>
const In* DirectConv<In, Out>::arrange_weight(const Out* weight) const {
  const ArrangeKernels& arrange = arrange_kernels();
  const std::int64_t filters = form_.out.channels;
  const std::int64_t group = forward_.group();
  const std::int64_t values = taps() * form_.in.channels;
  const std::int64_t units = values / kUnit<Out>;  // of 32 bits
  if (unfolding_) {
    Out* whole = resized(conv_buffers<In, Out>().whole, filters * values);
    unfolding_->widen_rows(filters, weight, whole);
    weight = whole;
  }
  const std::int64_t size = forward_.padded_filters() * values;
  In* to = resized(conv_buffers<In, Out>().weights, size);
  if (forward_.padded_filters() > filters) std::fill_n(to, size, In{});
  for (std::int64_t f = 0; f < filters; f += group) {
    const Out* from = weight + f * values;
    const std::int64_t some = std::min(group, filters - f);
    if constexpr (std::is_same_v<In, Out>) {
      arrange.transpose(from, some, units, units, to + f * values, group);
    } else {
      Out* pairs = resized(conv_buffers<In, Out>().stored, group * values);
      arrange.transpose(from, some, units, units, pairs, group);
      if (some < group) clear_columns(pairs, units, 2 * group, 2 * some);
      arrange.split_pairs(pairs, units, group, to + f * values);
    }
  }
  return to;
}

// [filters, kernel, kernel, channels] to [channels / group, taps of the part, filters, group].
template <typename In, typename Out>
void DirectConv<In, Out>::arrange_weight(const Out* weight, const BackwardPart& part,
                                         In* to) const {
  const ArrangeKernels& arrange = arrange_kernels();
  const std::int64_t channels = form_.in.channels;
  const std::int64_t filters = form_.out.channels;
  const std::int64_t group = part.correlation.group();
  const std::int64_t filter = taps() * channels;
  if (part.correlation.padded_filters() > channels) {
    std::fill_n(to, part.correlation.units() * kUnit<In> * part.correlation.padded_filters(), In{});
  }
  for (std::int64_t c = 0; c < channels; c += group) {
    const std::int64_t some = std::min(group, channels - c);
    for (const std::int64_t tap : part.taps) {
      const Out* from = weight + tap * channels + c;
      if constexpr (std::is_same_v<Out, float>) {
        arrange.copy_floats(from, filter, filters, some, some, to, group);
        to += filters * group;
      } else {
        for (std::int64_t f = 0; f < filters; f += 2, to += 2 * group, from += 2 * filter) {
          if constexpr (std::is_same_v<In, float>) {
            arrange.widen(from + filter, some, to);
            arrange.widen(from, some, to + group);
          } else {
            arrange.interleave(from, from + filter, some, to);
          }
        }
      }
    }
  }
}

// `values` values as a correlation takes them.
template <typename In, typename Out>
const In* DirectConv<In, Out>::inputs(const Out* x, std::int64_t values) const {
  if constexpr (std::is_same_v<In, Out>) {
    return x;
  } else {
    In* to = resized(conv_buffers<In, Out>().inputs, values);
    arrange_kernels().widen_turned(x, values, to);
    return to;
  }
}

// Whether every sum is made by one product of matrices.
template <typename In, typename Out>
bool DirectConv<In, Out>::is_one_product(std::int64_t samples, std::int64_t block) const {
  const auto has_products = [](const Span& span) { return span.begin < span.end; };
  return samples <= block && rows_at_once(whole_samples<Out>(samples)) >= rows_.outputs &&
         std::all_of(row_spans_.begin(), row_spans_.end(), has_products) &&
         std::all_of(column_spans_.begin(), column_spans_.end(), has_products);
}

// Of the backward pass.
template <typename In, typename Out>
std::int64_t DirectConv<In, Out>::samples_at_once() const {
  const std::int64_t values = std::int64_t{form_.in.pixels()} + form_.out.pixels();
  std::int64_t least = form_.stride > 1 ? kSamplesOfStrides : 1;
  if (kernels_.in_tiles) {
    for (least = kSamplesOfTiles; least > 2 && least * values > kBlockValuesOfTiles;) least /= 2;
  }
  return std::max(least, (forward_.block(values) + 1) / 2 * 2);
}

// x and dy by samples, one of them by rows too, and dy with margins.
template <typename In, typename Out>
std::int64_t DirectConv<In, Out>::buffer_bytes(std::int64_t samples) const {
  samples = std::min(samples, samples_at_once());
  const std::int64_t x = samples * form_.in.pixels();
  const std::int64_t dy = samples * form_.out.pixels();
  std::int64_t values = x + dy;
  if (kernels_.in_tiles) values += sums_by_channel() ? x : dy;
  if (kernels_.in_tiles && form_.kernel > 1) values += dy;
  return values * static_cast<std::int64_t>(sizeof(In));
}

template <typename In, typename Out>
std::int64_t DirectConv<In, Out>::rows_at_once(std::int64_t samples) const {
  const std::int64_t values = samples * (rows_.step * columns_.inputs * form_.in.channels +
                                         columns_.outputs * form_.out.channels);
  const std::int64_t products = samples * columns_.outputs;
  const std::int64_t most = kernels_.in_tiles ? kRowsValuesOfTiles : kRowsValues;
  return std::max<std::int64_t>(most / values, (kProductsOfRows + products - 1) / products);
}

// Values of bf16 are arranged so that a unit is that of two samples.
template <typename In, typename Out>
void DirectConv<In, Out>::add_to_weight_sums(std::int64_t samples, const Out* x, const Out* dy,
                                             Sums mode, float* sums) {
  const std::int64_t channels = form_.in.channels;
  const std::int64_t filters = form_.out.channels;
  const std::int64_t x_pixels = rows_.inputs * columns_.inputs;
  const std::int64_t dy_pixels = rows_.outputs * columns_.outputs;
  if constexpr (std::is_same_v<Out, float>) {
    std::int64_t columns = filters;
    if (sums_by_channel() && sum_columns() > filters) {
      columns = sum_columns();
      Out* whole = resized(conv_buffers<In, Out>().dy, samples * dy_pixels * columns);
      arrange_kernels().copy_floats(dy, filters, samples * dy_pixels, filters, columns, whole,
                                    columns);
      dy = whole;
    }
    add_products({samples, x_pixels * channels, columns_.inputs * channels, channels,
                  dy_pixels * columns, columns_.outputs * columns, columns},
                 x, dy, mode, sums);
  } else {
    const std::int64_t whole = whole_samples<Out>(samples);
    ConvBuffers<In, Out>& buffer = conv_buffers<In, Out>();
    const In* x_samples = pair_samples(samples, x, x_pixels, channels, buffer.x_samples);
    const In* dy_samples = pair_samples(samples, dy, dy_pixels, filters, buffer.dy_samples);
    Places places{whole / kUnit<In>, kUnit<In> * channels, columns_.inputs * whole * channels,
                  whole * channels,  kUnit<In> * filters,  columns_.outputs * whole * filters,
                  whole * filters};
    if (kernels_.in_tiles && sums_by_channel()) {
      places.left_row = odd_lines<In>(x_pixels * whole);
      places.x_sample = kUnit<In>;
      places.x_row = columns_.inputs * whole;
      places.x_column = whole;
      x_samples = turn_units(x_samples, x_pixels * whole / kUnit<In>, channels, buffer.left);
    } else if (kernels_.in_tiles) {
      places.left_row = odd_lines<In>(dy_pixels * whole);
      places.dy_sample = kUnit<In>;
      places.dy_row = columns_.outputs * whole;
      places.dy_column = whole;
      dy_samples = turn_units(dy_samples, dy_pixels * whole / kUnit<In>, filters, buffer.left);
    }
    add_products(places, x_samples, dy_samples, mode, sums);
  }
}

// A few rows of outputs at a time.
template <typename In, typename Out>
void DirectConv<In, Out>::add_products(const Places& places, const In* x, const In* dy, Sums mode,
                                       float* sums) const {
  const std::int64_t channels = form_.in.channels;
  const std::int64_t block = rows_at_once(places.samples * kUnit<In>);
  for (std::int64_t first = 0; first < rows_.outputs; first += block) {
    for (Span u : row_spans_) {
      u.begin = std::max(first, u.begin);
      u.end = std::min(first + block, u.end);
      if (u.begin >= u.end) continue;
      for (const Span& v : column_spans_) {
        if (v.begin >= v.end) continue;
        ProductSum<In> sum = product(places, u, v);
        const In* x_first = x + rows_.input(u.begin, u.tap_begin) * places.x_row +
                            columns_.input(v.begin, v.tap_begin) * places.x_column;
        const In* dy_first = dy + u.begin * places.dy_row + v.begin * places.dy_column;
        sum.left = sums_by_channel() ? x_first : dy_first;
        sum.right = sums_by_channel() ? dy_first : x_first;
        sum.mode = mode;
        const std::int64_t tap = u.tap_begin * form_.kernel + v.tap_begin;
        sum.sums = sums + tap * channels * (sums_by_channel() ? sum_columns() : 1);
        kernels_.add_products(sum);
      }
    }
  }
}

// The sums of one tap [filters, channels]; of what is unfolded [channels, filters]. What
// pairs of samples add one after the other, widened ones do too: their loop is the inmost.
template <typename In, typename Out>
ProductSum<In> DirectConv<In, Out>::product(const Places& places, const Span& u,
                                            const Span& v) const {
  Loops loops = {{{places.samples, places.x_sample, places.dy_sample},
                  {u.end - u.begin, rows_.step * places.x_row, places.dy_row},
                  {v.end - v.begin, columns_.step * places.x_column, places.dy_column}}};
  join(loops);
  if constexpr (std::is_same_v<Out, float>) lengthen(loops, kEnoughProducts);
  ProductSum<In> sum{};
  const bool by_channel = sums_by_channel();
  for (int i = 0; i < 3; ++i) {
    sum.counts[i] = loops[i].count;
    sum.left_steps[i] = by_channel ? loops[i].step : loops[i].other_step;
    sum.right_steps[i] = by_channel ? loops[i].other_step : loops[i].step;
  }
  sum.rows = by_channel ? form_.in.channels : form_.out.channels;
  sum.columns = by_channel ? sum_columns() : form_.in.channels;
  sum.sums_step = by_channel ? sum_columns() : taps() * form_.in.channels;
  sum.left_row = places.left_row;
  return sum;
}

template class DirectConv<float, float>;
template class DirectConv<Bf16Bits, Bf16Bits>;
template class DirectConv<float, Bf16Bits>;

}  // namespace lockstep
