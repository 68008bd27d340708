#include "model/winograd.h"

#include <algorithm>
#include <array>
#include <type_traits>
#include <vector>

#include "lockstep/model/instruction_set.h"
#include "model/resized.h"

namespace lockstep {

extern const WinogradKernels<float, float> winograd_kernels_fp32_avx2;
extern const WinogradKernels<float, float> winograd_kernels_fp32_avx512;
extern const WinogradKernels<Bf16Bits, Bf16Bits> winograd_kernels_paired;
extern const WinogradKernels<float, Bf16Bits> winograd_kernels_widened;

const WinogradKernels<float, float>* fp32_winograd_kernels() {
  if (instruction_set() >= InstructionSet::kAvx512) return &winograd_kernels_fp32_avx512;
  if (instruction_set() >= InstructionSet::kAvx2) return &winograd_kernels_fp32_avx2;
  return nullptr;
}

const WinogradKernels<Bf16Bits, Bf16Bits>& paired_winograd_kernels() {
  return winograd_kernels_paired;
}
const WinogradKernels<float, Bf16Bits>& widened_winograd_kernels() {
  return winograd_kernels_widened;
}

namespace {

constexpr std::int64_t kKernel = 3;
// Of a side; of fewer, too many would be those of tiles that the image ends in.
constexpr int kFewestOutputs = 4;
constexpr int kFewestChannels = 32;  // of fewer, turning takes longer than the products save

template <typename In>
constexpr std::int64_t kUnit = sizeof(float) / sizeof(In);

// Of a convolution whose values are of this type.
template <typename Out>
constexpr std::int64_t kInputSide = kTileSide<Out> + 2;
template <typename Out>
constexpr std::int64_t kTilePlaces = kInputSide<Out>* kInputSide<Out>;
template <typename Out>
constexpr std::int64_t kTileOutputs = kTileSide<Out>* kTileSide<Out>;

// Tiles whose sums stay near a core until they are turned back: those of one turn of
// the kernels' loops, for groups of 1, 2 and 3 vectors.
constexpr std::array<std::int64_t, 3> kTilesOfSums = {14, 14, 9};
// Of inputs, that stay near a core while one group of filters follows another.
constexpr std::int64_t kInputValues = 96 * 1024;
// Of both factors of weights' sums; by values, so that their order is the same in every form.
constexpr std::int64_t kFactorValues = 384 * 1024;
constexpr std::int64_t kFewestTiles = 32;  // that are added at once to weights' sums
constexpr std::int64_t kMostTiles = 256;
// A thread's, for one layer after the other.
template <typename In, typename Out>
struct Buffers {
  Buffer<Out> turned;  // weights [places, filters, channels]
  Buffer<In> weights;  // as products want them
  Buffer<Out> pairs;   // on their way
  Buffer<In> inputs;   // [places, tiles, channels]
  Buffer<In> gradients;
  Buffer<float> sums;         // of outputs [places, tiles, group]
  Buffer<float> weight_sums;  // [places, filters, channels]
  Buffer<Out> zeros;          // a pixel around the images
  Buffer<Out> spare;          // and one of outputs that there are not
  Buffer<const Out*> in_pixels, gradient_pixels;
  Buffer<Out*> out_pixels;
};

template <typename In, typename Out>
Buffers<In, Out>& buffers() {
  thread_local Buffers<In, Out> of_thread;
  return of_thread;
}

std::int64_t tiles_of_sums(std::int64_t group) {
  return kTilesOfSums[static_cast<std::size_t>(group / kFiltersOfVector - 1)];
}

// Pixels [rows, columns] of the image, from the one at (row, column); what is not there is
// `outside`.
template <typename T>
void find_pixels(const ImageShape& shape, T* image, std::int64_t row, std::int64_t column,
                 std::int64_t rows, std::int64_t columns, T* outside, T** pixels) {
  for (std::int64_t i = row; i < row + rows; ++i) {
    const bool is_row = i >= 0 && i < shape.height;
    for (std::int64_t j = column; j < column + columns; ++j) {
      const bool is_pixel = is_row && j >= 0 && j < shape.width;
      *pixels++ = is_pixel ? image + (i * shape.width + j) * shape.channels : outside;
    }
  }
}

// Of a row of tiles, as the kernels want them.
template <typename T>
void find_inputs(const TileMap& map, T* image, std::int64_t row, T* outside, T** pixels) {
  find_pixels(map.in, image, row * map.side - map.rows_before, -map.columns_before, map.side + 2,
              map.side * map.across + 2, outside, pixels);
}

template <typename T>
void find_outputs(const TileMap& map, T* image, std::int64_t row, T* outside, T** pixels) {
  for (std::int64_t column = 0; column < map.across; ++column) {
    find_pixels(map.out, image, row * map.side, column * map.side, map.side, map.side, outside,
                pixels + column * map.side * map.side);
  }
}

template <typename Out>
std::int64_t tiles_at_once(std::int64_t values, std::int64_t channels) {
  return values / (kTilePlaces<Out> * channels);
}

// Of a few tiles, the nearest to them, but at most all.
std::int64_t rows_at_once(const TileMap& map, std::int64_t tiles, std::int64_t rows) {
  return std::min(std::max<std::int64_t>(tiles / map.across, 1), rows);
}

}  // namespace

bool suits_winograd(const ConvForm& form) {
  const auto suits = [](int channels) {
    return channels % kFiltersOfVector == 0 && channels >= kFewestChannels;
  };
  return form.kernel == kKernel && form.stride == 1 && form.dilation == 1 &&
         suits(form.in.channels) && suits(form.out.channels) &&
         std::min(form.out.height, form.out.width) >= kFewestOutputs &&
         form.rows_before < kKernel && form.columns_before < kKernel;
}

std::int64_t winograd_bytes(const ConvForm& form, Precision precision) {
  const bool is_bf16 = precision == Precision::kBf16;
  const std::int64_t value = is_bf16 ? sizeof(Bf16Bits) : sizeof(float);
  const std::int64_t places = is_bf16 ? kTilePlaces<Bf16Bits> : kTilePlaces<float>;
  const std::int64_t weights = places * form.in.channels * form.out.channels;
  return weights * (2 * value + std::int64_t{sizeof(float)}) +
         (kInputValues + kFactorValues) * value;
}

TileMap::TileMap(std::int64_t side, const ImageShape& in, const ImageShape& out,
                 std::int64_t rows_before, std::int64_t columns_before)
    : side(side),
      in(in),
      out(out),
      rows_before(rows_before),
      columns_before(columns_before),
      down((out.height + side - 1) / side),
      across((out.width + side - 1) / side) {}

template <typename In, typename Out>
WinogradConv<In, Out>::WinogradConv(const WinogradKernels<In, Out>& kernels, const ConvForm& form)
    : kernels_(kernels),
      form_(form),
      forward_(kTileSide<Out>, form.in, form.out, form.rows_before, form.columns_before),
      backward_(kTileSide<Out>, form.out, form.in, kKernel - 1 - form.rows_before,
                kKernel - 1 - form.columns_before) {}

template <typename In, typename Out>
std::int64_t WinogradConv<In, Out>::group(std::int64_t filters) const {
  for (const std::int64_t vectors : {2, 3}) {
    const std::int64_t group = vectors * kFiltersOfVector;
    if (vectors <= kernels_.products->most_vectors && filters % group == 0) return group;
  }
  return kFiltersOfVector;
}

template <typename In, typename Out>
void WinogradConv<In, Out>::forward(std::int64_t samples, const Out* x, const Out* weight,
                                    const Out* bias, Out* y) {
  correlate(forward_, samples, x, forward_weights(weight), bias, y);
}

template <typename In, typename Out>
void WinogradConv<In, Out>::backward(std::int64_t samples, const Out* x, const Out* dy,
                                     const Out* weight, float* dweight, Out* dx) {
  if (dweight != nullptr) sum_weights(samples, x, dy, dweight);
  if (dx != nullptr) correlate(backward_, samples, dy, backward_weights(weight), nullptr, dx);
}

template <typename In, typename Out>
template <typename T>
std::int64_t WinogradConv<In, Out>::weights_step() const {
  return odd_lines<T>(std::int64_t{form_.in.channels} * form_.out.channels);
}

template <typename In, typename Out>
const Out* WinogradConv<In, Out>::turned_weights(const Out* weight) const {
  const std::int64_t channels = form_.in.channels, filters = form_.out.channels;
  const std::int64_t step = weights_step<Out>();
  Out* to = resized(buffers<In, Out>().turned, kTilePlaces<Out> * step);
  for (std::int64_t f = 0; f < filters; ++f) {
    kernels_.weights(weight + f * kKernelPlaces * channels, channels, to + f * channels, step);
  }
  return to;
}

// [filters, channels] of each place to [filters / group, units, group].
template <typename In, typename Out>
const In* WinogradConv<In, Out>::forward_weights(const Out* weight) const {
  const ArrangeKernels& arrange = arrange_kernels();
  const std::int64_t channels = form_.in.channels, filters = form_.out.channels;
  const std::int64_t some = group(filters);
  const std::int64_t units = channels / kUnit<Out>;
  const Out* turned = turned_weights(weight);
  In* weights = resized(buffers<In, Out>().weights, kTilePlaces<Out> * weights_step<In>());
  for (std::int64_t place = 0; place < kTilePlaces<Out>; ++place) {
    const Out* from = turned + place * weights_step<Out>();
    In* to = weights + place * weights_step<In>();
    for (std::int64_t i = 0; i < filters * channels; i += some * channels) {
      if constexpr (std::is_same_v<In, Out>) {
        arrange.transpose(from + i, some, units, units, to + i, some);
      } else {
        Out* pairs = resized(buffers<In, Out>().pairs, some * channels);
        arrange.transpose(from + i, some, units, units, pairs, some);
        arrange.split_pairs(pairs, units, some, to + i);
      }
    }
  }
  return weights;
}

// The kernels turned by half a circle, [channels / group, filters, group] of each place.
template <typename In, typename Out>
const In* WinogradConv<In, Out>::backward_weights(const Out* weight) const {
  const std::int64_t channels = form_.in.channels, filters = form_.out.channels;
  const std::int64_t kernel = kKernelPlaces * channels, some = group(channels);
  const std::int64_t step = weights_step<In>();
  In* to = resized(buffers<In, Out>().weights, kTilePlaces<Out> * step);
  for (std::int64_t f = 0; f < filters; f += 2, weight += 2 * kernel) {
    kernels_.turned_weight_pairs(weight, weight + kernel, channels, some, to + f * some, step,
                                 filters * some);
  }
  return to;
}

template <typename In, typename Out>
void WinogradConv<In, Out>::correlate(const TileMap& map, std::int64_t samples, const Out* x,
                                      const In* weights, const Out* bias, Out* y) const {
  Buffers<In, Out>& buffer = buffers<In, Out>();
  const std::int64_t channels = map.in.channels, filters = map.out.channels;
  const std::int64_t rows = samples * map.down;
  const std::int64_t most = rows_at_once(map, tiles_at_once<Out>(kInputValues, channels), rows);
  const std::int64_t step = odd_lines<In>(most * map.across * channels);
  In* inputs = resized(buffer.inputs, kTilePlaces<Out> * step);
  const Out* zeros = resized(buffer.zeros, channels);
  Out* spare = resized(buffer.spare, filters);
  const Out** in = resized(buffer.in_pixels, kInputSide<Out> * (map.side * map.across + 2));
  Out** out = resized(buffer.out_pixels, most * map.across * kTileOutputs<Out>);
  for (std::int64_t first = 0; first < rows; first += most) {
    const std::int64_t count = std::min(most, rows - first);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t sample = (first + i) / map.down, row = (first + i) % map.down;
      const std::int64_t tile = i * map.across;
      find_inputs(map, x + sample * map.in.pixels(), row, zeros, in);
      find_outputs(map, y + sample * map.out.pixels(), row, spare, out + tile * kTileOutputs<Out>);
      kernels_.inputs(in, map.across, channels, inputs + tile * channels, step);
    }
    correlate_tiles({inputs, step, count * map.across, channels}, weights, filters, bias, out);
  }
}

template <typename In, typename Out>
void WinogradConv<In, Out>::correlate_tiles(const Turned& turned, const In* weights,
                                            std::int64_t filters, const Out* bias,
                                            Out* const* pixels) const {
  const std::int64_t channels = turned.channels;
  const std::int64_t some = group(filters);
  const std::int64_t most = tiles_of_sums(some);
  const std::int64_t step = odd_lines<float>(most * some);
  float* sums = resized(buffers<In, Out>().sums, kTilePlaces<Out> * step);
  const TapStretch stretch{0, 0, channels / kUnit<In>};
  for (std::int64_t f = 0; f < filters; f += some) {
    for (std::int64_t i = 0; i < turned.tiles; i += most) {
      const std::int64_t tiles = std::min(most, turned.tiles - i);
      kernels_.products->correlate({.stretches = &stretch,
                                    .stretch_count = 1,
                                    .count = tiles,
                                    .x = turned.values + i * channels,
                                    .x_step = channels,
                                    .weights = weights + f * channels,
                                    .weights_step = some * kUnit<In>,
                                    .bias = nullptr,
                                    .output_bias = nullptr,
                                    .y = sums,
                                    .y_step = some,
                                    .vectors = static_cast<int>(some / kFiltersOfVector),
                                    .filters = static_cast<int>(some),
                                    .repeats = kTilePlaces<Out>,
                                    .x_repeat = turned.step,
                                    .weights_repeat = weights_step<In>(),
                                    .y_repeat = step});
      kernels_.outputs(sums, step, tiles, some, bias == nullptr ? nullptr : bias + f, f,
                       pixels + i * kTileOutputs<Out>);
    }
  }
}

// The tiles of two samples are turned at once: the units of bf16 are of both. An odd number of
// samples is completed by one of zeros.
template <typename In, typename Out>
void WinogradConv<In, Out>::sum_weights(std::int64_t samples, const Out* x, const Out* dy,
                                        float* dweight) const {
  Buffers<In, Out>& buffer = buffers<In, Out>();
  const TileMap& map = forward_;
  const std::int64_t channels = map.in.channels, filters = map.out.channels;
  const std::int64_t rows = (samples + 1) / 2 * map.down;
  const std::int64_t tiles =
      std::clamp(tiles_at_once<Out>(kFactorValues, channels + filters), kFewestTiles, kMostTiles);
  const std::int64_t most = rows_at_once(map, tiles / 2, rows);
  const std::int64_t step = odd_lines<In>(2 * most * map.across * channels);
  const std::int64_t gradients_step = odd_lines<In>(2 * most * map.across * filters);
  In* inputs = resized(buffer.inputs, kTilePlaces<Out> * step);
  In* gradients = resized(buffer.gradients, kTilePlaces<Out> * gradients_step);
  float* sums = resized(buffer.weight_sums, kTilePlaces<Out> * weights_step<float>());
  const Out* zeros = resized(buffer.zeros, std::max(channels, filters));
  const std::int64_t in_size = kInputSide<Out> * (map.side * map.across + 2);
  const std::int64_t out_size = map.across * kTileOutputs<Out>;
  const Out** in = resized(buffer.in_pixels, 2 * in_size);
  const Out** out = resized(buffer.gradient_pixels, 2 * out_size);
  for (std::int64_t first = 0; first < rows; first += most) {
    const std::int64_t count = std::min(most, rows - first);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t row = (first + i) % map.down;
      for (std::int64_t k = 0; k < 2; ++k) {
        const std::int64_t sample = (first + i) / map.down * 2 + k;
        if (sample < samples) {
          find_inputs(map, x + sample * map.in.pixels(), row, zeros, in + k * in_size);
          find_outputs(map, dy + sample * map.out.pixels(), row, zeros, out + k * out_size);
        } else {
          std::fill_n(in + k * in_size, in_size, zeros);
          std::fill_n(out + k * out_size, out_size, zeros);
        }
      }
      const std::int64_t tile = 2 * i * map.across;
      kernels_.input_pairs(in, map.across, channels, inputs + tile * channels, step);
      kernels_.gradient_pairs(out, map.across, filters, gradients + tile * filters, gradients_step);
    }
    const std::int64_t turned = 2 * count * map.across;
    add_products({inputs, step, turned, channels}, {gradients, gradients_step, turned, filters},
                 first == 0 ? Sums::kBegin : Sums::kAdd, sums);
  }
  for (std::int64_t f = 0; f < filters; ++f) {
    kernels_.weight_sums(sums + f * channels, weights_step<float>(), channels,
                         dweight + f * kKernelPlaces * channels);
  }
}

template <typename In, typename Out>
void WinogradConv<In, Out>::add_products(const Turned& inputs, const Turned& gradients, Sums mode,
                                         float* sums) const {
  const std::int64_t channels = inputs.channels, filters = gradients.channels;
  for (std::int64_t place = 0; place < kTilePlaces<Out>; ++place) {
    kernels_.products->add_products({.counts = {1, 1, inputs.tiles / kUnit<In>},
                                     .left_steps = {0, 0, filters * kUnit<In>},
                                     .right_steps = {0, 0, channels * kUnit<In>},
                                     .left = gradients.values + place * gradients.step,
                                     .right = inputs.values + place * inputs.step,
                                     .rows = filters,
                                     .columns = channels,
                                     .sums = sums + place * weights_step<float>(),
                                     .sums_step = channels,
                                     .mode = mode});
  }
}

template class WinogradConv<float, float>;
template class WinogradConv<Bf16Bits, Bf16Bits>;
template class WinogradConv<float, Bf16Bits>;

}  // namespace lockstep
