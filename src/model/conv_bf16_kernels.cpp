// Compiled for AVX-512 BF16; flags in CMakeLists.txt. Nothing comes from the
// standard library but types, so that no code for this instruction set can be
// linked into another's place.
#include "model/conv_bf16_kernels.h"

#include <immintrin.h>

#include <utility>

namespace lockstep {

namespace {

constexpr int kMaxPixels = 12;        // of a tile; with 2 vectors each, 24 sums in registers
constexpr int kMaxSums = 24;          // of the 32 registers
constexpr std::int64_t kVector = 16;  // fp32 values of a register

inline __m512bh load_pairs(const std::uint16_t* from) { return (__m512bh)_mm512_loadu_si512(from); }

inline __m512bh broadcast_pair(const std::uint16_t* from) {
  std::int32_t pair;
  __builtin_memcpy(&pair, from, sizeof(pair));
  return (__m512bh)_mm512_set1_epi32(pair);
}

inline __m512 widen(const std::uint16_t* from) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

// Where a tile of neighbouring outputs of one row finds its operands.
struct Tile {
  const std::uint16_t* x;        // of the first output, first tap used
  const std::uint16_t* weights;  // of the first filter, first tap used
  const std::uint16_t* bias;     // of the first filter, or null
  std::uint16_t* y;
  std::int64_t tap_rows;  // of the kernel
};

// kPixels outputs by 16 kVectors filters.
template <int kPixels, int kVectors>
void correlate_tile(const Correlation& form, const Tile& tile) {
  __m512 sums[kPixels][kVectors];
#pragma GCC unroll 12
  for (int p = 0; p < kPixels; ++p) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      sums[p][v] = tile.bias != nullptr ? widen(tile.bias + kVector * v) : _mm512_setzero_ps();
    }
  }
  const std::int64_t stride = form.channels;
  const std::int64_t weight_stride = 2 * form.filters;
  const std::int64_t pairs = form.tap_pairs();
  const std::uint16_t* weights = tile.weights;
  for (std::int64_t row = 0; row < tile.tap_rows; ++row) {
    const std::uint16_t* x = tile.x + row * form.width * form.channels;
    for (std::int64_t pair = 0; pair < pairs; ++pair) {
      __m512bh w[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) w[v] = load_pairs(weights + 2 * kVector * v);
#pragma GCC unroll 12
      for (int p = 0; p < kPixels; ++p) {
        const __m512bh value = broadcast_pair(x + p * stride);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          sums[p][v] = _mm512_dpbf16_ps(sums[p][v], value, w[v]);
        }
      }
      x += 2;
      weights += weight_stride;
    }
  }
#pragma GCC unroll 12
  for (int p = 0; p < kPixels; ++p) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(tile.y + p * form.filters + kVector * v),
                          (__m256i)_mm512_cvtneps_pbh(sums[p][v]));
    }
  }
}

using TileFunction = void (*)(const Correlation&, const Tile&);

template <int kPixels, int kVectors>
constexpr TileFunction correlate_tile_or_null() {
  if constexpr (kPixels * kVectors <= kMaxSums) return correlate_tile<kPixels, kVectors>;
  return nullptr;
}

struct TileRow {
  TileFunction by_vectors[4];  // 1, 2, 4, 8 vectors
};

template <std::size_t... kPixels>
constexpr auto make_tile_table(std::index_sequence<kPixels...>) {
  struct Table {
    TileRow rows[sizeof...(kPixels)];
  };
  return Table{{TileRow{
      {correlate_tile_or_null<kPixels + 1, 1>(), correlate_tile_or_null<kPixels + 1, 2>(),
       correlate_tile_or_null<kPixels + 1, 4>(), correlate_tile_or_null<kPixels + 1, 8>()}}...}};
}

constexpr auto kTiles = make_tile_table(std::make_index_sequence<kMaxPixels>());

// The widest group of filters, as a power of 2 of vectors, that the registers hold
// for so many pixels.
int log_vectors(std::int64_t pixels, std::int64_t filters) {
  int log = 0;
  while (log < 3 && filters % (kVector << (log + 1)) == 0 &&
         kTiles.rows[pixels - 1].by_vectors[log + 1] != nullptr) {
    ++log;
  }
  return log;
}

// One output row, whose first tap used is row `first` of the kernel.
void correlate_row(const Correlation& form, Tile row) {
  const std::int64_t tiles = (form.out_width + kMaxPixels - 1) / kMaxPixels;
  const std::int64_t widest = (form.out_width + tiles - 1) / tiles;
  const int log = log_vectors(widest, form.filters);
  const std::int64_t group = kVector << log;
  for (std::int64_t f = 0; f < form.filters; f += group) {
    for (std::int64_t t = 0; t < tiles; ++t) {
      const std::int64_t begin = form.out_width * t / tiles;
      const std::int64_t end = form.out_width * (t + 1) / tiles;
      const Tile tile{row.x + begin * form.channels, row.weights + 2 * f,
                      row.bias == nullptr ? nullptr : row.bias + f,
                      row.y + begin * form.filters + f, row.tap_rows};
      kTiles.rows[end - begin - 1].by_vectors[log](form, tile);
    }
  }
}

std::int64_t larger(std::int64_t a, std::int64_t b) { return a > b ? a : b; }
std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

void correlate(const Correlation& form, const std::uint16_t* x, const std::uint16_t* weights,
               const std::uint16_t* bias, std::uint16_t* y) {
  const std::int64_t row_size = form.width * form.channels;
  for (std::int64_t n = 0; n < form.samples; ++n) {
    const std::uint16_t* image = x + n * form.height * row_size;
    for (std::int64_t i = 0; i < form.out_height; ++i) {
      const std::int64_t first = larger(0, form.top - i);
      const std::int64_t last = smaller(form.kernel, form.height + form.top - i);
      correlate_row(form, {image + (i + first - form.top) * row_size,
                           weights + first * form.tap_pairs() * form.filters * 2, bias, y,
                           larger(0, last - first)});
      y += form.out_width * form.filters;
    }
  }
}

// sums [kTaps, filters] of one kernel row for 16 kVectors filters. The pairs are
// those of the first output row used, at the first tap.
struct WeightTile {
  const std::uint16_t* x_pairs;
  const std::uint16_t* dy_pairs;
  std::int64_t rows;  // of a sample's outputs
  float* sums;
};

template <int kTaps, int kVectors>
void weights_tile(const Correlation& form, const WeightTile& tile) {
  __m512 sums[kTaps][kVectors];
#pragma GCC unroll 12
  for (int t = 0; t < kTaps; ++t) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      sums[t][v] = _mm512_loadu_ps(tile.sums + t * form.filters + kVector * v);
    }
  }
  const std::int64_t pairs = form.pixel_pairs();
  const std::int64_t x_row = form.width * form.channels * 2;
  const std::int64_t dy_row = pairs * form.filters * 2;
  for (std::int64_t i = 0; i < form.samples * tile.rows; ++i) {
    const std::int64_t n = i / tile.rows;
    const std::int64_t row = i % tile.rows;
    const std::uint16_t* x = tile.x_pairs + (n * form.height + row) * x_row;
    const std::uint16_t* dy = tile.dy_pairs + (n * form.out_height + row) * dy_row;
    for (std::int64_t pair = 0; pair < pairs; ++pair) {
      __m512bh d[kVectors];
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) d[v] = load_pairs(dy + 2 * kVector * v);
#pragma GCC unroll 12
      for (int t = 0; t < kTaps; ++t) {
        const __m512bh value = broadcast_pair(x + 2 * t);
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) {
          sums[t][v] = _mm512_dpbf16_ps(sums[t][v], value, d[v]);
        }
      }
      x += 4 * form.channels;
      dy += 2 * form.filters;
    }
  }
#pragma GCC unroll 12
  for (int t = 0; t < kTaps; ++t) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      _mm512_storeu_ps(tile.sums + t * form.filters + kVector * v, sums[t][v]);
    }
  }
}

using WeightTileFunction = void (*)(const Correlation&, const WeightTile&);

struct WeightTileRow {
  WeightTileFunction by_vectors[2];  // 1, 2 vectors
};

template <std::size_t... kTaps>
constexpr auto make_weight_tile_table(std::index_sequence<kTaps...>) {
  struct Table {
    WeightTileRow rows[sizeof...(kTaps)];
  };
  return Table{{WeightTileRow{{weights_tile<kTaps + 1, 1>, weights_tile<kTaps + 1, 2>}}...}};
}

constexpr auto kWeightTiles = make_weight_tile_table(std::make_index_sequence<kMaxPixels>());

void correlate_weights(const Correlation& form, const std::uint16_t* x_pairs,
                       const std::uint16_t* dy_pairs, float* sums) {
  const int log = form.filters % (2 * kVector) == 0 ? 1 : 0;
  const std::int64_t group = kVector << log;
  for (std::int64_t u = 0; u < form.kernel; ++u) {
    const std::int64_t begin = larger(0, form.top - u);
    const std::int64_t end = smaller(form.out_height, form.height + form.top - u);
    const std::uint16_t* x = x_pairs + (begin + u - form.top) * form.width * form.channels * 2;
    for (std::int64_t f = 0; f < form.filters; f += group) {
      const std::uint16_t* dy = dy_pairs + (begin * form.pixel_pairs() * form.filters + f) * 2;
      for (std::int64_t t = 0; t < form.taps(); t += kMaxPixels) {
        const std::int64_t taps = smaller(kMaxPixels, form.taps() - t);
        kWeightTiles.rows[taps - 1].by_vectors[log](
            form, {x + 2 * t, dy, larger(0, end - begin),
                   sums + (u * form.taps() + t) * form.filters + f});
      }
    }
  }
}

void interleave(const std::uint16_t* a, const std::uint16_t* b, std::int64_t count,
                std::uint16_t* to) {
  constexpr std::int64_t kValues = 2 * kVector;
  const __m512i first = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40,
                                         8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  const __m512i second = _mm512_add_epi16(first, _mm512_set1_epi16(kVector));
  std::int64_t i = 0;
  for (; i + kValues <= count; i += kValues) {
    const __m512i low = _mm512_loadu_si512(a + i);
    const __m512i high = _mm512_loadu_si512(b + i);
    _mm512_storeu_si512(to + 2 * i, _mm512_permutex2var_epi16(low, first, high));
    _mm512_storeu_si512(to + 2 * i + kValues, _mm512_permutex2var_epi16(low, second, high));
  }
  for (; i < count; ++i) {
    to[2 * i] = a[i];
    to[2 * i + 1] = b[i];
  }
}

void pair_rows(const std::uint16_t* rows, std::int64_t count, std::int64_t size, std::int64_t step,
               std::uint16_t* to) {
  // Rows that each begin a pair lie one after the other, and so do their pairs.
  const std::int64_t stretch = step == 1 ? larger(1, count - 1) : 1;
  std::int64_t row = 0;
  for (; row + stretch < count; row += stretch * step, to += 2 * stretch * size) {
    interleave(rows + row * size, rows + (row + 1) * size, stretch * size, to);
  }
  if (row >= count) return;
  for (std::int64_t i = 0; i < size; ++i) {
    to[2 * i] = rows[row * size + i];
    to[2 * i + 1] = 0;
  }
}

// A 16 x 16 block: exchanges halves of rows at distances 1, 2, 4 and 8.
void transpose_block(const std::int32_t* from, std::int64_t columns, std::int32_t* to,
                     std::int64_t rows) {
  __m512i in[kVector];
  __m512i out[kVector];
#pragma GCC unroll 16
  for (int i = 0; i < kVector; ++i) in[i] = _mm512_loadu_si512(from + i * columns);
#pragma GCC unroll 8
  for (int i = 0; i < kVector; i += 2) {
    out[i] = _mm512_unpacklo_epi32(in[i], in[i + 1]);
    out[i + 1] = _mm512_unpackhi_epi32(in[i], in[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < kVector; i += 4) {
    in[i] = _mm512_unpacklo_epi64(out[i], out[i + 2]);
    in[i + 1] = _mm512_unpackhi_epi64(out[i], out[i + 2]);
    in[i + 2] = _mm512_unpacklo_epi64(out[i + 1], out[i + 3]);
    in[i + 3] = _mm512_unpackhi_epi64(out[i + 1], out[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    out[i] = _mm512_shuffle_i32x4(in[i], in[i + 4], 0x88);
    out[i + 4] = _mm512_shuffle_i32x4(in[i], in[i + 4], 0xDD);
    out[i + 8] = _mm512_shuffle_i32x4(in[i + 8], in[i + 12], 0x88);
    out[i + 12] = _mm512_shuffle_i32x4(in[i + 8], in[i + 12], 0xDD);
  }
#pragma GCC unroll 8
  for (int i = 0; i < kVector / 2; ++i) {
    _mm512_storeu_si512(to + i * rows, _mm512_shuffle_i32x4(out[i], out[i + 8], 0x88));
    _mm512_storeu_si512(to + (i + 8) * rows, _mm512_shuffle_i32x4(out[i], out[i + 8], 0xDD));
  }
}

void transpose(const void* from, std::int64_t rows, std::int64_t columns, void* to) {
  const auto* source = static_cast<const std::int32_t*>(from);
  auto* target = static_cast<std::int32_t*>(to);
  for (std::int64_t r = 0; r < rows; r += kVector) {
    for (std::int64_t c = 0; c < columns; c += kVector) {
      const std::int32_t* corner = source + r * columns + c;
      if (r + kVector <= rows && c + kVector <= columns) {
        transpose_block(corner, columns, target + c * rows + r, rows);
        continue;
      }
      for (std::int64_t i = r; i < smaller(r + kVector, rows); ++i) {
        for (std::int64_t j = c; j < smaller(c + kVector, columns); ++j) {
          target[j * rows + i] = source[i * columns + j];
        }
      }
    }
  }
}

}  // namespace

const ConvBf16Kernels kConvBf16Kernels = {correlate, correlate_weights, interleave, pair_rows,
                                          transpose};

}  // namespace lockstep
