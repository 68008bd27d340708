#include "model/correlation.h"

#include <algorithm>
#include <array>

#include "model/loops.h"
#include "model/resized.h"

namespace lockstep {

namespace {

template <typename In>
constexpr std::int64_t kUnit = sizeof(float) / sizeof(In);

// So many outputs at once keep the processor busy.
constexpr std::int64_t kEnoughOutputs = 7;
// Of x, that stay in a core's cache while one group of filters follows another.
constexpr std::int64_t kBlockValues = 64 * 1024;
constexpr std::int64_t kSamplesOfSmall = 28;  // at once, where a row has not enough outputs

// Of groups of 2, 3 and 1 vectors the first that leaves the fewest places empty.
int vectors_of_group(std::int64_t filters, int most) {
  int best = 1;
  std::int64_t fewest = filters + kFiltersOfVector;
  for (const int vectors : {2, 3, 1}) {
    const std::int64_t group = vectors * kFiltersOfVector;
    const std::int64_t empty = (filters + group - 1) / group * group - filters;
    if (vectors > most || empty >= fewest) continue;
    best = vectors;
    fewest = empty;
  }
  return best;
}

bool meets_margin(const Axis& axis) {
  return axis.taps > 0 && axis.outputs > 0 &&
         (axis.input(0, 0) < 0 || axis.input(axis.outputs - 1, axis.taps - 1) >= axis.inputs);
}

// The inputs that the outputs meet, no more and no fewer.
Axis of_images_with_margins(Axis axis) {
  axis.inputs = axis.input(axis.outputs - 1, axis.taps - 1) - axis.input(0, 0) + 1;
  axis.before = 0;
  return axis;
}

// Whether all rows of an image, with what lies between two of them, are fewer tiles of 16 outputs
// than each by itself.
bool are_fewer_tiles_joined(const Axis& rows, const Axis& columns) {
  const auto tiles = [](std::int64_t outputs) { return (outputs + 15) / 16; };
  const std::int64_t apart = rows.outputs * tiles(columns.outputs);
  const std::int64_t joined = tiles((rows.outputs - 1) * columns.inputs + columns.outputs);
  return rows.step == columns.step && columns.inputs > columns.outputs &&
         columns.outputs >= kEnoughOutputs && 8 * joined <= 7 * apart;
}

// Columns, where they are enough, in the inmost; where one loop goes on in the next, both are one.
Loops order(Loops each) {
  auto& [samples, rows, columns] = each;
  if (columns.goes_on_in(rows)) {
    columns.count *= rows.count;
    rows = kOnce;
    if (columns.goes_on_in(samples)) {
      columns.count *= samples.count;
      samples = kOnce;
    }
  }
  lengthen(each, kEnoughOutputs);
  return each;
}

}  // namespace

std::vector<Span> spans_by_output(const Axis& axis) {
  std::vector<Span> spans;
  for (std::int64_t output = 0; output < axis.outputs; ++output) {
    const auto inside = [&](std::int64_t tap) {
      const std::int64_t input = axis.input(output, tap);
      return input >= 0 && input < axis.inputs;
    };
    Span span{output, output + 1, 0, axis.taps};
    while (span.tap_begin < span.tap_end && !inside(span.tap_begin)) ++span.tap_begin;
    while (span.tap_begin < span.tap_end && !inside(span.tap_end - 1)) --span.tap_end;
    if (!spans.empty() && spans.back().tap_begin == span.tap_begin &&
        spans.back().tap_end == span.tap_end) {
      spans.back().end = span.end;
    } else {
      spans.push_back(span);
    }
  }
  return spans;
}

std::vector<Span> spans_by_tap(const Axis& axis) {
  std::vector<Span> spans;
  for (std::int64_t tap = 0; tap < axis.taps; ++tap) {
    Span span{0, axis.outputs, tap, tap + 1};
    while (span.begin < span.end && axis.input(span.begin, tap) < 0) ++span.begin;
    while (span.begin < span.end && axis.input(span.end - 1, tap) >= axis.inputs) --span.end;
    spans.push_back(span);
  }
  return spans;
}

template <typename In, typename Out>
Correlation<In, Out>::Correlation(const ConvKernels<In, Out>& kernels, const Axis& rows,
                                  const Axis& columns, std::int64_t channels, std::int64_t filters)
    : kernels_(kernels),
      given_rows_(rows),
      given_columns_(columns),
      rows_(rows),
      columns_(columns),
      channels_(channels),
      filters_(filters),
      vectors_(vectors_of_group(filters, kernels.most_vectors)),
      copies_images_(kernels.in_tiles && (meets_margin(rows) || meets_margin(columns))) {
  if (copies_images_) {
    rows_ = of_images_with_margins(rows);
    columns_ = of_images_with_margins(columns);
  }
  joins_rows_ = kernels.in_tiles && are_fewer_tiles_joined(rows_, columns_);
  for (const Span& row : spans_by_output(rows_)) {
    for (const Span& column : spans_by_output(columns_)) {
      regions_.push_back({row, column, stretches(row, column)});
    }
  }
}

template <typename In, typename Out>
std::int64_t Correlation<In, Out>::units() const {
  return rows_.taps * columns_.taps * channels_ / kUnit<In>;
}

template <typename In, typename Out>
std::vector<TapStretch> Correlation<In, Out>::stretches(const Span& rows,
                                                        const Span& columns) const {
  std::vector<TapStretch> stretches;
  const bool joined = columns_.dilation == 1;  // taps of neighbouring inputs are one stretch
  const std::int64_t taps = joined ? columns.tap_end - columns.tap_begin : 1;
  for (std::int64_t u = rows.tap_begin; u < rows.tap_end; ++u) {
    for (std::int64_t v = columns.tap_begin; v < columns.tap_end; v += taps) {
      stretches.push_back({.x = ((u - rows.tap_begin) * rows_.dilation * columns_.inputs +
                                 (v - columns.tap_begin) * columns_.dilation) *
                                channels_,
                           .weights = (u * columns_.taps + v) * channels_ / kUnit<In>,
                           .units = taps * channels_ / kUnit<In>});
    }
  }
  return stretches;
}

template <typename In, typename Out>
std::int64_t Correlation<In, Out>::block(std::int64_t values) const {
  return std::max(kBlockValues / values, columns_.outputs < kEnoughOutputs ? kSamplesOfSmall : 2);
}

template <typename In, typename Out>
void Correlation<In, Out>::run(std::int64_t samples, const In* x, const In* weights,
                               const Out* bias, Out* y) const {
  const std::int64_t step = group() * kUnit<In>;
  run(samples, x, WeightPlaces<In>{weights, units() * step, step}, bias, y);
}

template <typename In, typename Out>
void Correlation<In, Out>::run(std::int64_t samples, const In* x, const WeightPlaces<In>& weights,
                               const Out* bias, Out* y) const {
  if (copies_images_) x = with_margins(samples, x);
  for (std::int64_t f = 0; f < filters_; f += group()) {
    for (const Region& region : regions_) {
      run_region(region, samples,
                 {.stretches = region.stretches.data(),
                  .stretch_count = static_cast<std::int64_t>(region.stretches.size()),
                  .count = 0,
                  .x = x,
                  .x_step = 0,
                  .weights = weights.first + f / group() * weights.group_step,
                  .weights_step = weights.unit_step,
                  .bias = bias == nullptr ? nullptr : bias + f,
                  .output_bias = nullptr,
                  .y = y + f,
                  .y_step = 0,
                  .vectors = vectors_,
                  .filters = static_cast<int>(std::min(group(), filters_ - f))});
    }
  }
}

// A copy of the images, with zeros where the outputs meet what is not there.
template <typename In, typename Out>
const In* Correlation<In, Out>::with_margins(std::int64_t samples, const In* x) const {
  thread_local Buffer<In> copies;
  const std::int64_t row = columns_.inputs * channels_;
  const std::int64_t given_row = given_columns_.inputs * channels_;
  In* to = resized(copies, samples * rows_.inputs * row);
  In* const copy = to;
  const std::int64_t first = std::clamp<std::int64_t>(given_columns_.before, 0, columns_.inputs);
  const std::int64_t last = std::clamp<std::int64_t>(given_columns_.before + given_columns_.inputs,
                                                     first, columns_.inputs);
  const std::int64_t skipped = (first - given_columns_.before) * channels_;
  for (std::int64_t sample = 0; sample < samples; ++sample, x += given_rows_.inputs * given_row) {
    for (std::int64_t i = 0; i < rows_.inputs; ++i, to += row) {
      const std::int64_t from = i - given_rows_.before;
      if (from < 0 || from >= given_rows_.inputs) {
        std::fill_n(to, row, In{});
        continue;
      }
      std::fill_n(to, first * channels_, In{});
      std::copy_n(x + from * given_row + skipped, (last - first) * channels_,
                  to + first * channels_);
      std::fill_n(to + last * channels_, row - last * channels_, In{});
    }
  }
  return copy;
}

// `run` is of the first sample's first input and output.
template <typename In, typename Out>
void Correlation<In, Out>::run_region(const Region& region, std::int64_t samples,
                                      OutputRun<In, Out> run) const {
  const auto& [rows, columns, stretches] = region;
  if (!stretches.empty()) {
    run.x += (rows_.input(rows.begin, rows.tap_begin) * columns_.inputs +
              columns_.input(columns.begin, columns.tap_begin)) *
             channels_;
  }
  run.y += ((rows_.first + rows.begin * rows_.apart) * columns_.stored + columns_.first +
            columns.begin * columns_.apart) *
           filters_;
  const Loop all{samples, rows_.inputs * columns_.inputs * channels_,
                 rows_.stored * columns_.stored * filters_};
  const Loop row{rows.end - rows.begin, rows_.step * columns_.inputs * channels_,
                 rows_.apart * columns_.stored * filters_};
  const Loop column{columns.end - columns.begin, columns_.step * channels_,
                    columns_.apart * filters_};
  if (joins_rows_) {
    run.period = columns_.inputs;
    run.period_outputs = column.count;
    run.y_period = row.other_step;
  }
  const Loop joined{(row.count - 1) * columns_.inputs + column.count, column.step,
                    column.other_step};
  const auto [outer, middle, inner] =
      joins_rows_ ? Loops{kOnce, all, joined} : order({all, row, column});
  run.count = inner.count;
  run.x_step = inner.step;
  run.y_step = inner.other_step;
  run.repeats = middle.count;
  run.x_repeat = middle.step;
  run.y_repeat = middle.other_step;
  for (std::int64_t i = 0; i < outer.count; ++i) {
    kernels_.correlate(run);
    run.x += outer.step;
    run.y += outer.other_step;
  }
}

template class Correlation<float, float>;
template class Correlation<Bf16Bits, Bf16Bits>;
template class Correlation<float, Bf16Bits>;

}  // namespace lockstep
