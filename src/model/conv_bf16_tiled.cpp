// The kernels of bf16 for processors with AMX, whose instruction adds the products of up to 16
// pairs to each of 16 x 16 sums: those of the first values, in order, plus those of the second
// values, in order. Pairs are taken in parts of one size, a divisor of how many lie side by side,
// so that the order is that of the form alone. Numbers below the normal ones are taken for zero.
// Flags in CMakeLists.txt.
#include <atomic>

#include "model/avx512_isa.h"
#include "model/conv_kernels.h"

namespace lockstep {

namespace {

using Run = OutputRun<Bf16Bits, Bf16Bits>;
using Products = ProductSum<Bf16Bits>;

constexpr int kSide = 16;  // rows of a tile at most, and its columns of 32 bits
constexpr int kVectorValues = 2 * kSide;
constexpr int kBytes = sizeof(Bf16Bits);

// The compiler does not know what the instructions for tiles read and write in memory.
inline void finish_stores() { std::atomic_signal_fence(std::memory_order_seq_cst); }

// The processor's eight tiles: 0 and 1 have the sums of some upper rows by one or two vectors of
// columns, 2 and 3 those of lower rows; 4 and 5 the left factors of upper and lower rows, 6 and 7
// the right factors of the vectors. While it exists they are this program's; what another library
// had set up is there again after that.
class Tiles {
 public:
  Tiles() { _tile_storeconfig(&before_); }
  ~Tiles() {
    if (before_.palette != 0) {
      _tile_loadconfig(&before_);
    } else {
      _tile_release();
    }
  }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;

  // Up to 16 rows each, lower ones none or at most as many, by parts of up to 16 units.
  void shape(int upper, int lower, int units) {
    if (upper == upper_ && lower == lower_ && units == units_) return;
    upper_ = upper;
    lower_ = lower;
    units_ = units;
    for (const int tile : {0, 1}) set(tile, upper, kSide);
    for (const int tile : {2, 3}) set(tile, lower, kSide);
    set(4, upper, units);
    set(5, lower, units);
    for (const int tile : {6, 7}) set(tile, units, kSide);
    finish_stores();
    _tile_loadconfig(&shapes_);
  }

 private:
  // As the processor wants it.
  struct alignas(64) Shapes {
    std::uint8_t palette = 1;
    std::uint8_t start_row = 0;
    std::uint8_t reserved[14] = {};
    std::uint16_t row_bytes[16] = {};
    std::uint8_t rows[16] = {};
  };

  void set(int tile, int rows, int columns) {
    shapes_.rows[tile] = static_cast<std::uint8_t>(rows);
    shapes_.row_bytes[tile] = static_cast<std::uint16_t>(rows == 0 ? 0 : columns * 4);
  }

  Shapes before_;
  Shapes shapes_;
  int upper_ = 0, lower_ = 0, units_ = 0;
};

// The largest part of so many units that they are a multiple of.
int units_of_part(std::int64_t units) {
  int part = kSide;
  while (units % part != 0) --part;
  return part;
}

// What a tile's rows are made of: `rows` of them, so many bytes apart.
struct Rows {
  const void* first;
  std::int64_t apart;
};

// Adds the products of one part.
template <bool kLower, bool kTwo>
inline void add_part(Rows upper, Rows lower, Rows right, Rows next_right) {
  _tile_loadd(4, upper.first, upper.apart);
  _tile_loadd(6, right.first, right.apart);
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (kTwo) {
    _tile_loadd(7, next_right.first, next_right.apart);
    _tile_dpbf16ps(1, 4, 7);
  }
  if constexpr (kLower) {
    _tile_loadd(5, lower.first, lower.apart);
    _tile_dpbf16ps(2, 5, 6);
    if constexpr (kTwo) _tile_dpbf16ps(3, 5, 7);
  }
}

template <bool kLower, bool kTwo>
inline void load_sums(Rows upper, Rows next_upper, Rows lower, Rows next_lower) {
  _tile_loadd(0, upper.first, upper.apart);
  if constexpr (kTwo) _tile_loadd(1, next_upper.first, next_upper.apart);
  if constexpr (kLower) {
    _tile_loadd(2, lower.first, lower.apart);
    if constexpr (kTwo) _tile_loadd(3, next_lower.first, next_lower.apart);
  }
}

template <bool kLower, bool kTwo>
inline void clear_sums() {
  _tile_zero(0);
  if constexpr (kTwo) _tile_zero(1);
  if constexpr (kLower) {
    _tile_zero(2);
    if constexpr (kTwo) _tile_zero(3);
  }
}

// To [upper + lower rows, 16 or 32], rows `apart` floats apart.
template <bool kLower, bool kTwo>
inline void store_sums(float* to, int upper, std::int64_t apart) {
  const auto bytes = apart * static_cast<std::int64_t>(sizeof(float));
  _tile_stored(0, to, bytes);
  if constexpr (kTwo) _tile_stored(1, to + kSide, bytes);
  if constexpr (kLower) {
    _tile_stored(2, to + upper * apart, bytes);
    if constexpr (kTwo) _tile_stored(3, to + upper * apart + kSide, bytes);
  }
  finish_stores();
}

// --- Correlations ---

// Up to four tiles of outputs by a vector of filters; of each tile its first row. All have as many
// rows.
struct Piece {
  const Bf16Bits* x[4];
  Bf16Bits* y[4];         // of the repeat
  std::int64_t first[4];  // output of it
  int rows;
  int vector;
};

template <int kTiles>
inline void add_part(const Piece& piece, std::int64_t x, std::int64_t apart,
                     const Bf16Bits* weights, std::int64_t weights_apart) {
  _tile_loadd(6, weights, weights_apart);
  _tile_loadd(4, piece.x[0] + x, apart);
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (kTiles > 1) {
    _tile_loadd(5, piece.x[1] + x, apart);
    _tile_dpbf16ps(1, 5, 6);
  }
  if constexpr (kTiles > 2) {
    _tile_loadd(4, piece.x[2] + x, apart);
    _tile_dpbf16ps(2, 4, 6);
  }
  if constexpr (kTiles > 3) {
    _tile_loadd(5, piece.x[3] + x, apart);
    _tile_dpbf16ps(3, 5, 6);
  }
}

using Sums16 = float[kSide][kSide];

// Tile i from from[i], whose rows lie so many bytes apart.
template <int kTiles>
inline void load_tiles(const Sums16* const* from, std::int64_t apart) {
  finish_stores();
  _tile_loadd(0, from[0], apart);
  if constexpr (kTiles > 1) _tile_loadd(1, from[1], apart);
  if constexpr (kTiles > 2) _tile_loadd(2, from[2], apart);
  if constexpr (kTiles > 3) _tile_loadd(3, from[3], apart);
}

template <int kTiles>
inline void store_tiles(Sums16* to) {
  constexpr std::int64_t kApart = sizeof(to[0][0]);
  _tile_stored(0, to[0], kApart);
  if constexpr (kTiles > 1) _tile_stored(1, to[1], kApart);
  if constexpr (kTiles > 2) _tile_stored(2, to[2], kApart);
  if constexpr (kTiles > 3) _tile_stored(3, to[3], kApart);
  finish_stores();
}

template <int kTiles>
inline void begin_sums(const Run& run, const Piece& piece) {
  alignas(64) Sums16 begin[kTiles];
  const Sums16* from[kTiles];
  if (run.output_bias != nullptr) {
    for (int tile = 0; tile < kTiles; ++tile) {
      from[tile] = &begin[tile];
      for (int row = 0; row < piece.rows; ++row) {
        _mm512_store_ps(begin[tile][row],
                        Avx512Bf16Out::widen_one(run.output_bias + piece.first[tile] + row));
      }
    }
    load_tiles<kTiles>(from, sizeof(begin[0][0]));
  } else if (run.bias != nullptr) {
    for (const Sums16*& each : from) each = &begin[0];
    _mm512_store_ps(begin[0][0], Avx512Bf16Out::widen(run.bias + piece.vector * kSide));
    load_tiles<kTiles>(from, 0);
  } else {
    clear_sums<(kTiles > 2), (kTiles > 1)>();
  }
}

template <int kTiles>
inline void store_outputs(const Run& run, const Piece& piece, const Sums16* sums) {
  const int filters = run.filters - piece.vector * kSide;
  if (filters <= 0) return;
  const auto there = static_cast<__mmask16>(filters >= kSide ? 0xFFFF : (1U << filters) - 1);
  for (int tile = 0; tile < kTiles; ++tile) {
    const std::int64_t period = piece.first[tile] / run.period;
    std::int64_t output = piece.first[tile] % run.period;
    Bf16Bits* y = piece.y[tile] + piece.vector * kSide + period * run.y_period;
    for (int row = 0; row < piece.rows; ++row) {
      if (output < run.period_outputs) {
        const auto bits = (__m256i)_mm512_cvtneps_pbh(_mm512_load_ps(sums[tile][row]));
        _mm256_mask_storeu_epi16(y + output * run.y_step, there, bits);
      }
      if (++output < run.period) continue;
      output = 0;
      y += run.y_period;
    }
  }
}

template <int kTiles>
void correlate_piece(const Run& run, const Piece& piece, int part) {
  begin_sums<kTiles>(run, piece);
  const std::int64_t apart = run.x_step * kBytes;
  const std::int64_t weights_apart = run.weights_step * kBytes;
  for (std::int64_t s = 0; s < run.stretch_count; ++s) {
    const TapStretch& stretch = run.stretches[s];
    std::int64_t x = stretch.x;
    const Bf16Bits* weights =
        run.weights + stretch.weights * run.weights_step + piece.vector * kVectorValues;
    for (std::int64_t unit = 0; unit < stretch.units; unit += part) {
      add_part<kTiles>(piece, x, apart, weights, weights_apart);
      x += 2 * part;
      weights += part * run.weights_step;
    }
  }
  alignas(64) Sums16 sums[kTiles];
  store_tiles<kTiles>(sums);
  store_outputs<kTiles>(run, piece, sums);
}

constexpr decltype(&correlate_piece<1>) kCorrelatePiece[] = {
    correlate_piece<1>, correlate_piece<2>, correlate_piece<3>, correlate_piece<4>};

// The outputs of a repeat are cut into tiles of as many rows, the last of which may begin within
// the one before it.
struct Cut {
  std::int64_t tiles, rows;

  explicit Cut(std::int64_t count)
      : tiles((count + kSide - 1) / kSide), rows((count + tiles - 1) / tiles) {}
  std::int64_t first(std::int64_t tile, std::int64_t count) const {
    return tile + 1 < tiles ? tile * rows : count - rows;
  }
};

// Repeats of the same weights, in pieces of nearly the same size.
void correlate_repeats(const Run& run, const Cut& cut, int part) {
  constexpr std::int64_t kMost = 4;
  const std::int64_t all = run.repeats * cut.tiles;
  const std::int64_t pieces = (all + kMost - 1) / kMost;
  for (int vector = 0; vector < run.vectors; ++vector) {
    for (std::int64_t p = 0; p < pieces; ++p) {
      const std::int64_t first = all * p / pieces;
      const std::int64_t count = all * (p + 1) / pieces - first;
      Piece piece{};
      piece.rows = static_cast<int>(cut.rows);
      piece.vector = vector;
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t repeat = (first + i) / cut.tiles;
        const std::int64_t row = cut.first((first + i) % cut.tiles, run.count);
        piece.x[i] = run.x + repeat * run.x_repeat + row * run.x_step;
        piece.y[i] = run.y + repeat * run.y_repeat;
        piece.first[i] = row;
      }
      kCorrelatePiece[count - 1](run, piece, part);
    }
  }
}

// Of all stretches each has as many units.
void correlate(const Run& given) {
  Run run = given;
  if (run.period == 0) run.period = run.period_outputs = run.count;
  const int part = run.stretch_count > 0 ? units_of_part(run.stretches[0].units) : 1;
  const Cut cut(run.count);
  Tiles tiles;
  tiles.shape(static_cast<int>(cut.rows), static_cast<int>(cut.rows), part);
  if (run.weights_repeat == 0) return correlate_repeats(run, cut, part);
  Run each = run;
  each.repeats = 1;
  for (std::int64_t repeat = 0; repeat < run.repeats; ++repeat) {
    correlate_repeats(each, cut, part);
    each.x += run.x_repeat;
    each.weights += run.weights_repeat;
    each.y += run.y_repeat;
  }
}

// --- Products of matrices ---

// Upper and lower rows of so many: nearly the same of both.
struct Halves {
  int upper, lower;

  explicit Halves(std::int64_t rows)
      : upper(static_cast<int>(rows <= kSide ? rows : (rows + 1) / 2)),
        lower(static_cast<int>(rows) - upper) {}
};

// Some rows by one or two vectors of columns.
template <bool kLower, bool kTwo>
void add_products_piece(const Products& sum, std::int64_t row, const Halves& rows,
                        std::int64_t column, int part) {
  constexpr std::int64_t kFloat = sizeof(float);
  float* to = sum.sums + row * sum.sums_step + column;
  if (sum.mode == Sums::kAdd) {
    const std::int64_t apart = sum.sums_step * kFloat;
    const float* lower = to + rows.upper * sum.sums_step;
    load_sums<kLower, kTwo>({to, apart}, {to + kSide, apart}, {lower, apart},
                            {lower + kSide, apart});
  } else {
    clear_sums<kLower, kTwo>();
  }
  const std::int64_t left_apart = sum.left_row * kBytes;
  const std::int64_t right_apart = sum.right_steps[2] * kBytes;
  for (std::int64_t i = 0; i < sum.counts[0]; ++i) {
    for (std::int64_t j = 0; j < sum.counts[1]; ++j) {
      const Bf16Bits* upper =
          sum.left + row * sum.left_row + i * sum.left_steps[0] + j * sum.left_steps[1];
      const Bf16Bits* lower = upper + rows.upper * sum.left_row;
      const Bf16Bits* right =
          sum.right + 2 * column + i * sum.right_steps[0] + j * sum.right_steps[1];
      for (std::int64_t k = 0; k < sum.counts[2]; k += part) {
        add_part<kLower, kTwo>({upper, left_apart}, {lower, left_apart}, {right, right_apart},
                               {right + kVectorValues, right_apart});
        upper += 2 * part;
        lower += 2 * part;
        right += part * sum.right_steps[2];
      }
    }
  }
  store_sums<kLower, kTwo>(to, rows.upper, sum.sums_step);
}

void add_products(const Products& sum) {
  const int part = units_of_part(sum.counts[2]);
  const std::int64_t pieces = (sum.rows + 2 * kSide - 1) / (2 * kSide);
  Tiles tiles;
  finish_stores();
  for (std::int64_t i = 0; i < pieces; ++i) {
    const std::int64_t row = sum.rows * i / pieces;
    const Halves rows(sum.rows * (i + 1) / pieces - row);
    tiles.shape(rows.upper, rows.lower, part);
    for (std::int64_t column = 0; column < sum.columns; column += 2 * kSide) {
      const bool two = column + kSide < sum.columns;
      if (rows.lower > 0) {
        two ? add_products_piece<true, true>(sum, row, rows, column, part)
            : add_products_piece<true, false>(sum, row, rows, column, part);
      } else {
        two ? add_products_piece<false, true>(sum, row, rows, column, part)
            : add_products_piece<false, false>(sum, row, rows, column, part);
      }
    }
  }
}

}  // namespace

extern const ConvKernels<Bf16Bits, Bf16Bits> conv_kernels_tiled;
const ConvKernels<Bf16Bits, Bf16Bits> conv_kernels_tiled = {
    .most_vectors = 3, .correlate = correlate, .add_products = add_products, .in_tiles = true};

}  // namespace lockstep
