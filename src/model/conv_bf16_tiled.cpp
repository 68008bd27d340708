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

// Rows of outputs and vectors of filters at once.
struct Piece {
  std::int64_t first;
  int upper, lower;
  std::int64_t lower_x, lower_y;  // values from the first upper row to the first lower one
  int vector = 0;
};

template <bool kTwo>
inline void store_outputs(const Run& run, const Piece& piece, const float* sums) {
  Bf16Bits* first = run.y + piece.first * run.y_step + piece.vector * kSide;
  Bf16Bits* y = first;
  const int filters = run.filters - piece.vector * kSide;
  for (int row = 0; row < piece.upper + piece.lower; ++row) {
    if (row == piece.upper) y = first + piece.lower_y;
#pragma GCC unroll 2
    for (int v = 0; v < (kTwo ? 2 : 1); ++v) {
      const __m512 sum = _mm512_loadu_ps(sums + (2 * row + v) * kSide);
      const auto bits = (__m256i)_mm512_cvtneps_pbh(sum);
      const int there = filters - v * kSide;
      if (there >= kSide) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + v * kSide), bits);
      } else if (there > 0) {
        _mm256_mask_storeu_epi16(y + v * kSide, static_cast<__mmask16>((1U << there) - 1), bits);
      }
    }
    y += run.y_step;
  }
}

template <bool kLower, bool kTwo>
inline void begin_sums(const Run& run, const Piece& piece) {
  alignas(64) float begin[2 * kSide][kVectorValues];
  if (run.output_bias != nullptr) {
    const Bf16Bits* bias = run.output_bias + piece.first;
    for (int row = 0; row < piece.upper + piece.lower; ++row) {
      for (int v = 0; v < 2; ++v) {
        _mm512_store_ps(begin[row] + v * kSide, Avx512Bf16Out::widen_one(bias + row));
      }
    }
    finish_stores();
    constexpr std::int64_t kApart = sizeof(begin[0]);
    load_sums<kLower, kTwo>({begin[0], kApart}, {begin[0] + kSide, kApart},
                            {begin[piece.upper], kApart}, {begin[piece.upper] + kSide, kApart});
  } else if (run.bias != nullptr) {
    for (int v = 0; v < (kTwo ? 2 : 1); ++v) {
      _mm512_store_ps(begin[0] + v * kSide,
                      Avx512Bf16Out::widen(run.bias + (piece.vector + v) * kSide));
    }
    finish_stores();
    load_sums<kLower, kTwo>({begin[0], 0}, {begin[0] + kSide, 0}, {begin[0], 0},
                            {begin[0] + kSide, 0});
  } else {
    clear_sums<kLower, kTwo>();
  }
}

template <bool kLower, bool kTwo>
void correlate_piece(const Run& run, const Piece& piece, int part) {
  begin_sums<kLower, kTwo>(run, piece);
  const std::int64_t apart = run.x_step * kBytes;
  const std::int64_t weights_apart = run.weights_step * kBytes;
  for (std::int64_t s = 0; s < run.stretch_count; ++s) {
    const TapStretch& stretch = run.stretches[s];
    const Bf16Bits* upper = run.x + piece.first * run.x_step + stretch.x;
    const Bf16Bits* lower = upper + piece.lower_x;
    const Bf16Bits* weights =
        run.weights + stretch.weights * run.weights_step + piece.vector * kVectorValues;
    for (std::int64_t unit = 0; unit < stretch.units; unit += part) {
      add_part<kLower, kTwo>({upper, apart}, {lower, apart}, {weights, weights_apart},
                             {weights + kVectorValues, weights_apart});
      upper += 2 * part;
      lower += 2 * part;
      weights += part * run.weights_step;
    }
  }
  alignas(64) float sums[2 * kSide * kVectorValues];
  store_sums<kLower, kTwo>(sums, piece.upper, kVectorValues);
  store_outputs<kTwo>(run, piece, sums);
}

void correlate_vectors(const Run& run, const Piece& piece, int part) {
  const bool two = piece.vector + 1 < run.vectors;
  if (piece.lower > 0) {
    two ? correlate_piece<true, true>(run, piece, part)
        : correlate_piece<true, false>(run, piece, part);
  } else {
    two ? correlate_piece<false, true>(run, piece, part)
        : correlate_piece<false, false>(run, piece, part);
  }
}

// Upper and lower rows of so many: nearly the same of both.
struct Halves {
  int upper, lower;

  explicit Halves(std::int64_t rows)
      : upper(static_cast<int>(rows <= kSide ? rows : (rows + 1) / 2)),
        lower(static_cast<int>(rows) - upper) {}
};

// Repeats from `first` on, so many at once.
void correlate_repeats(const Run& run, std::int64_t first, std::int64_t at_once, Piece piece,
                       int part) {
  for (piece.vector = 0; piece.vector < run.vectors; piece.vector += 2) {
    Run each = run;
    each.x += first * run.x_repeat;
    each.weights += first * run.weights_repeat;
    each.y += first * run.y_repeat;
    for (std::int64_t repeat = first; repeat + at_once <= run.repeats; repeat += at_once) {
      correlate_vectors(each, piece, part);
      each.x += at_once * run.x_repeat;
      each.weights += at_once * run.weights_repeat;
      each.y += at_once * run.y_repeat;
    }
  }
}

// Of all stretches each has as many units. Of few outputs two repeats are made at once.
void correlate(const Run& run) {
  const int part = run.stretch_count > 0 ? units_of_part(run.stretches[0].units) : 1;
  Tiles tiles;
  std::int64_t done = 0;
  if (run.count <= kSide && run.weights_repeat == 0 && run.output_bias == nullptr) {
    const int rows = static_cast<int>(run.count);
    tiles.shape(rows, rows, part);
    correlate_repeats(run, 0, 2, {0, rows, rows, run.x_repeat, run.y_repeat}, part);
    done = run.repeats / 2 * 2;
  }
  if (done == run.repeats) return;
  const std::int64_t pieces = (run.count + 2 * kSide - 1) / (2 * kSide);
  for (std::int64_t i = 0; i < pieces; ++i) {
    const std::int64_t first = run.count * i / pieces;
    const Halves rows(run.count * (i + 1) / pieces - first);
    tiles.shape(rows.upper, rows.lower, part);
    correlate_repeats(
        run, done, 1,
        {first, rows.upper, rows.lower, rows.upper * run.x_step, rows.upper * run.y_step}, part);
  }
}

// --- Products of matrices ---

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
    .most_vectors = 3, .correlate = correlate, .add_products = add_products, .left_by_rows = true};

}  // namespace lockstep
