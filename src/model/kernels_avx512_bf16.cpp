// Norms, sums over rows and 2x2 pools of bf16 for processors that round sixteen values by an
// instruction, where kernels.inc takes eight; the same bits, but for numbers below the normal ones,
// which become zero. Channels are multiples of 16: others go to the kernels for AVX-512. Flags in
// CMakeLists.txt.
#include "lockstep/core/formulas.h"
#include "model/avx512_isa.h"
#include "model/kernels.h"
#include "model/norm_choices.h"

namespace lockstep {

extern const Kernels kernels_avx512;

namespace {

constexpr int kLanes = 16;
constexpr std::int64_t kBlockRows = 64;  // as in kernels.inc
constexpr std::int64_t kTotals = 256;    // channels whose sums are made at once

bool suits(std::int64_t channels) { return channels % kLanes == 0; }

__m512 load(const Bf16* from) { return Avx512Bf16Out::widen(&from->bits); }
void store(Bf16* to, __m512 value) { Avx512Bf16Out::store(&to->bits, value); }

// Their second operand is the result where one is a NaN.
__m512 relu_of(__m512 value) { return _mm512_max_ps(_mm512_setzero_ps(), value); }
__m512 at_most(float limit, __m512 value) { return _mm512_min_ps(_mm512_set1_ps(limit), value); }

__mmask16 between_zero_and(float limit, __m512 value) {
  const __mmask16 above = _mm512_cmp_ps_mask(value, _mm512_setzero_ps(), _CMP_GT_OQ);
  return _mm512_mask_cmp_ps_mask(above, value, _mm512_set1_ps(limit), _CMP_LT_OQ);
}

__mmask16 kept(const std::uint8_t* bits, std::uint8_t drop_below) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bits));
  return _mm_cmpge_epu8_mask(bytes, _mm_set1_epi8(static_cast<char>(drop_below)));
}

// --- Sums over rows -----------------------------------------------------------

// Adds sixteen sums to totals in double.
void add_to(double* totals, __m512 sums) {
  const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(sums));
  const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(sums, 1));
  _mm512_storeu_pd(totals, _mm512_add_pd(_mm512_loadu_pd(totals), low));
  totals += kLanes / 2;
  _mm512_storeu_pd(totals, _mm512_add_pd(_mm512_loadu_pd(totals), high));
}

// Two sums over rows [begin, end) for each of kVectors x 16 channels from c0 on: add(value,
// channel, first, second) for the rows' values.
template <int kVectors, typename Add>
void sum_block(std::int64_t begin, std::int64_t end, std::int64_t channels, std::int64_t c0,
               Add add, double* first_totals, double* second_totals) {
  __m512 first[kVectors], second[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) first[v] = second[v] = _mm512_setzero_ps();
  for (std::int64_t at = begin * channels + c0; at < end * channels; at += channels) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      add(at + v * kLanes, c0 + v * kLanes, first[v], second[v]);
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    add_to(first_totals + v * kLanes, first[v]);
    add_to(second_totals + v * kLanes, second[v]);
  }
}

// Blocks of rows in fp32, these in double. All channels of a block before the next one, so that
// memory is read in order. finish(channel, first, second) takes the totals.
template <typename Add, typename Finish>
void sum_over_rows(std::int64_t rows, std::int64_t channels, Add add, Finish finish) {
  for (std::int64_t c0 = 0; c0 < channels; c0 += kTotals) {
    const std::int64_t c_end = channels - c0 < kTotals ? channels : c0 + kTotals;
    double first[kTotals] = {};
    double second[kTotals] = {};
    for (std::int64_t r0 = 0; r0 < rows; r0 += kBlockRows) {
      const std::int64_t end = rows - r0 < kBlockRows ? rows : r0 + kBlockRows;
      std::int64_t c = c0;
      const auto sum = [&]<int kVectors>() {
        sum_block<kVectors>(r0, end, channels, c, add, first + c - c0, second + c - c0);
        c += kVectors * kLanes;
      };
      while (c_end - c >= 4 * kLanes) sum.template operator()<4>();
      if (c_end - c >= 3 * kLanes) sum.template operator()<3>();
      if (c_end - c >= 2 * kLanes) sum.template operator()<2>();
      if (c_end - c >= kLanes) sum.template operator()<1>();
    }
    for (std::int64_t c = c0; c < c_end; ++c) finish(c, first[c - c0], second[c - c0]);
  }
}

void sum_rows(const Bf16* x, std::int64_t rows, std::int64_t channels, float* sums) {
  if (!suits(channels)) return kernels_avx512.bf16.sum_rows(x, rows, channels, sums);
  sum_over_rows(
      rows, channels,
      [=](std::int64_t at, std::int64_t, __m512& sum, __m512&) {
        sum = _mm512_add_ps(sum, load(x + at));
      },
      [=](std::int64_t c, double sum, double) { sums[c] = static_cast<float>(sum); });
}

template <bool kRelu>
void moments_of(const Bf16* x, std::int64_t rows, std::int64_t channels, float* mean,
                float* variance) {
  sum_over_rows(
      rows, channels,
      [=](std::int64_t at, std::int64_t, __m512& sum, __m512& square) {
        const __m512 value = kRelu ? relu_of(load(x + at)) : load(x + at);
        sum = _mm512_add_ps(sum, value);
        square = _mm512_add_ps(square, _mm512_mul_ps(value, value));
      },
      [=](std::int64_t c, double sum, double square) {
        formula::moments(sum, square, static_cast<double>(rows), mean[c], variance[c]);
      });
}

void moments(const Bf16* x, std::int64_t rows, std::int64_t channels, bool relu, float* mean,
             float* variance) {
  if (!suits(channels)) {
    return kernels_avx512.bf16.moments(x, rows, channels, relu, mean, variance);
  }
  if (relu) return moments_of<true>(x, rows, channels, mean, variance);
  moments_of<false>(x, rows, channels, mean, variance);
}

// --- Relu, batch norm, relu, dropout ------------------------------------------

template <bool kReluBefore, bool kReluAfter, bool kDrop>
struct Norm {
  const NormForm& form;
  const float* factor;
  const float* offset;

  __m512 scaled(__m512 input, std::int64_t c) const {
    return _mm512_add_ps(_mm512_mul_ps(_mm512_loadu_ps(factor + c), input),
                         _mm512_loadu_ps(offset + c));
  }
  static __m512 input(const Bf16* x) { return kReluBefore ? relu_of(load(x)) : load(x); }

  void forward(const Bf16* x, Bf16* y) const {
    std::int64_t at = 0;
    for (std::int64_t row = 0; row < form.rows; ++row) {
      for (std::int64_t c = 0; c < form.channels; c += kLanes, at += kLanes) {
        __m512 value = scaled(input(x + at), c);
        if constexpr (kReluAfter) value = at_most(form.relu_limit, relu_of(value));
        if constexpr (kDrop) {
          value = _mm512_maskz_mul_ps(kept(form.bits + at, form.drop_below), value,
                                      _mm512_set1_ps(form.keep_scale));
        }
        store(y + at, value);
      }
    }
  }

  // The gradient at the batch norm's output, from that of the op's output.
  __m512 gradient(const Bf16* dy, __m512 input, std::int64_t at, std::int64_t c) const {
    __m512 d = load(dy + at);
    if constexpr (kDrop) {
      d = _mm512_maskz_mul_ps(kept(form.bits + at, form.drop_below), d,
                              _mm512_set1_ps(form.keep_scale));
    }
    if constexpr (kReluAfter) {
      d = _mm512_maskz_mov_ps(between_zero_and(form.relu_limit, scaled(input, c)), d);
    }
    return d;
  }

  void sums(const Bf16* x, const Bf16* dy, float* sum_d, float* sum_dx) const {
    sum_over_rows(
        form.rows, form.channels,
        [=, *this](std::int64_t at, std::int64_t c, __m512& total_d, __m512& total_dx) {
          const __m512 in = input(x + at);
          const __m512 d = gradient(dy, in, at, c);
          total_d = _mm512_add_ps(total_d, d);
          total_dx = _mm512_add_ps(total_dx, _mm512_mul_ps(d, in));
        },
        [=](std::int64_t c, double d, double dx) {
          sum_d[c] = static_cast<float>(d);
          sum_dx[c] = static_cast<float>(dx);
        });
  }

  void backward(const Bf16* x, const Bf16* dy, const float* kd, const float* kx, const float* k1,
                Bf16* dx) const {
    std::int64_t at = 0;
    for (std::int64_t row = 0; row < form.rows; ++row) {
      for (std::int64_t c = 0; c < form.channels; c += kLanes, at += kLanes) {
        const __m512 raw = load(x + at);
        const __m512 in = kReluBefore ? relu_of(raw) : raw;
        const __m512 d = gradient(dy, in, at, c);
        __m512 value = _mm512_add_ps(_mm512_mul_ps(_mm512_loadu_ps(kd + c), d),
                                     _mm512_mul_ps(_mm512_loadu_ps(kx + c), in));
        value = _mm512_add_ps(value, _mm512_loadu_ps(k1 + c));
        if constexpr (kReluBefore) {
          const __mmask16 open = _mm512_cmp_ps_mask(raw, _mm512_setzero_ps(), _CMP_GT_OQ);
          value = _mm512_maskz_mov_ps(open, value);
        }
        store(dx + at, value);
      }
    }
  }
};

// Calls use(Norm<...>) for the form's choices.
template <typename Use>
void with_choices(const NormForm& form, const float* factor, const float* offset, Use use) {
  with_norm_choices(form, [&]<bool kReluBefore, bool kReluAfter, bool kDrop>() {
    use(Norm<kReluBefore, kReluAfter, kDrop>{form, factor, offset});
  });
}

void norm_forward(const NormForm& form, const Bf16* x, const float* factor, const float* offset,
                  Bf16* y) {
  if (!suits(form.channels)) return kernels_avx512.bf16.norm_forward(form, x, factor, offset, y);
  with_choices(form, factor, offset, [=](const auto& norm) { norm.forward(x, y); });
}

void norm_sums(const NormForm& form, const Bf16* x, const float* factor, const float* offset,
               const Bf16* dy, float* sum_d, float* sum_dx) {
  if (!suits(form.channels)) {
    return kernels_avx512.bf16.norm_sums(form, x, factor, offset, dy, sum_d, sum_dx);
  }
  with_choices(form, factor, offset, [=](const auto& norm) { norm.sums(x, dy, sum_d, sum_dx); });
}

void norm_backward(const NormForm& form, const Bf16* x, const float* factor, const float* offset,
                   const Bf16* dy, const float* kd, const float* kx, const float* k1, Bf16* dx) {
  if (!suits(form.channels)) {
    return kernels_avx512.bf16.norm_backward(form, x, factor, offset, dy, kd, kx, k1, dx);
  }
  with_choices(form, factor, offset,
               [=](const auto& norm) { norm.backward(x, dy, kd, kx, k1, dx); });
}

// --- Batch norm, sum with another input, relu ---------------------------------

void norm_add_forward(const NormForm& form, const Bf16* x, const float* factor, const float* offset,
                      const Bf16* added, Bf16* y) {
  if (!suits(form.channels)) {
    return kernels_avx512.bf16.norm_add_forward(form, x, factor, offset, added, y);
  }
  const Norm<false, false, false> norm{form, factor, offset};
  const __m512 least = _mm512_set1_ps(form.relu_after ? 0.0F : -__builtin_inff());
  const float limit = form.relu_after ? form.relu_limit : __builtin_inff();
  std::int64_t at = 0;
  for (std::int64_t row = 0; row < form.rows; ++row) {
    for (std::int64_t c = 0; c < form.channels; c += kLanes, at += kLanes) {
      const __m512 sum = _mm512_add_ps(norm.scaled(load(x + at), c), load(added + at));
      store(y + at, at_most(limit, _mm512_max_ps(least, sum)));
    }
  }
}

void norm_add_sums(const NormForm& form, const Bf16* x, const Bf16* y, const Bf16* dy, Bf16* d,
                   float* sum_d, float* sum_dx) {
  if (!suits(form.channels)) {
    return kernels_avx512.bf16.norm_add_sums(form, x, y, dy, d, sum_d, sum_dx);
  }
  const float limit = form.relu_limit;
  sum_over_rows(
      form.rows, form.channels,
      [=](std::int64_t at, std::int64_t, __m512& total_d, __m512& total_dx) {
        const __m512 passed =
            _mm512_maskz_mov_ps(between_zero_and(limit, load(y + at)), load(dy + at));
        store(d + at, passed);
        total_d = _mm512_add_ps(total_d, passed);
        total_dx = _mm512_add_ps(total_dx, _mm512_mul_ps(passed, load(x + at)));
      },
      [=](std::int64_t c, double all_d, double all_dx) {
        sum_d[c] = static_cast<float>(all_d);
        sum_dx[c] = static_cast<float>(all_dx);
      });
}

// --- Max pools of 2x2 ---------------------------------------------------------

bool is_pool_of_2x2(const GateForm& form) {
  return form.size == 2 && form.stride == 2 && form.padding == 0 && suits(form.channels);
}

__mmask16 equal(__m512 a, __m512 b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
__mmask16 one_is_nan(__m512 a, __m512 b) { return _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q); }

__m128i set_where(__m128i places, __mmask16 where, int place) {
  return _mm_mask_mov_epi8(places, where, _mm_set1_epi8(static_cast<char>(place)));
}

// Of 16 channels of a window at x, whose rows are `row` apart.
template <bool kRelu, bool kDrop>
void pool_window(const GateForm& form, const Bf16* x, std::int64_t row, std::int64_t at, Bf16* y,
                 std::uint8_t* code) {
  const __m512 first = load(x);
  const __m512 right = load(x + form.channels);
  const __m512 lower = load(x + row);
  const __m512 corner = load(x + row + form.channels);
  __m512 best = _mm512_max_ps(_mm512_max_ps(first, right), _mm512_max_ps(lower, corner));
  // Of equal ones the first.
  __m128i place = set_where(_mm_set1_epi8(3), equal(lower, best), 2);
  place = set_where(place, equal(right, best), 1);
  place = set_where(place, equal(first, best), 0);
  if constexpr (kRelu) {
    const __mmask16 shut = _mm512_cmp_ps_mask(best, _mm512_setzero_ps(), _CMP_LE_OQ);
    place = set_where(place, shut, kClosed);
    best = relu_of(best);
  }
  const auto nan = static_cast<__mmask16>(one_is_nan(first, right) | one_is_nan(lower, corner));
  best = _mm512_mask_mov_ps(best, nan, _mm512_set1_ps(__builtin_nanf("")));
  if constexpr (kDrop) {
    const __mmask16 keep = kept(form.bits + at, form.drop_below);
    place = set_where(place, static_cast<__mmask16>(~keep), kClosed);
    best = _mm512_maskz_mul_ps(keep, best, _mm512_set1_ps(form.keep_scale));
  }
  _mm_storeu_si128(reinterpret_cast<__m128i*>(code + at), place);
  store(y + at, best);
}

template <bool kRelu, bool kDrop>
void pool(const GateForm& form, const Bf16* x, Bf16* y, std::uint8_t* code) {
  const std::int64_t row = form.width * form.channels;
  std::int64_t at = 0;
  for (std::int64_t n = 0; n < form.samples; ++n, x += form.height * row) {
    for (std::int64_t i = 0; i < form.out_height; ++i) {
      const Bf16* window = x + 2 * i * row;
      for (std::int64_t j = 0; j < form.out_width; ++j, window += form.channels) {
        for (std::int64_t c = 0; c < form.channels; c += kLanes, at += kLanes, window += kLanes) {
          pool_window<kRelu, kDrop>(form, window, row, at, y, code);
        }
      }
    }
  }
}

void gate_forward(const GateForm& form, const Bf16* x, Bf16* y, std::uint8_t* code) {
  if (!is_pool_of_2x2(form)) return kernels_avx512.bf16.gate_forward(form, x, y, code);
  const bool drops = form.bits != nullptr;
  if (form.relu)
    return drops ? pool<true, true>(form, x, y, code) : pool<true, false>(form, x, y, code);
  return drops ? pool<false, true>(form, x, y, code) : pool<false, false>(form, x, y, code);
}

void gate_backward(const GateForm& form, const Bf16* dy, const std::uint8_t* code, Bf16* dx) {
  const bool covers = form.out_height * 2 == form.height && form.out_width * 2 == form.width;
  if (!is_pool_of_2x2(form) || !covers) {
    return kernels_avx512.bf16.gate_backward(form, dy, code, dx);
  }
  const __m512 scale = _mm512_set1_ps(form.keep_scale);
  const std::int64_t row = form.width * form.channels;
  std::int64_t at = 0;
  for (std::int64_t y = 0; y < form.samples * form.out_height; ++y, dx += row) {
    for (std::int64_t x = 0; x < form.out_width; ++x, dx += form.channels) {
      for (std::int64_t c = 0; c < form.channels; c += kLanes, at += kLanes, dx += kLanes) {
        const __m256i d = (__m256i)_mm512_cvtneps_pbh(_mm512_mul_ps(load(dy + at), scale));
        const __m128i won = _mm_loadu_si128(reinterpret_cast<const __m128i*>(code + at));
        for (int k = 0; k < 4; ++k) {
          Bf16* to = dx + k / 2 * row + k % 2 * form.channels;
          const __mmask16 here = _mm_cmpeq_epi8_mask(won, _mm_set1_epi8(static_cast<char>(k)));
          _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_maskz_mov_epi16(here, d));
        }
      }
    }
  }
}

}  // namespace

void use_bf16_instructions(TypedKernels<Bf16>& table) {
  table.moments = moments;
  table.norm_forward = norm_forward;
  table.norm_sums = norm_sums;
  table.norm_backward = norm_backward;
  table.norm_add_forward = norm_add_forward;
  table.norm_add_sums = norm_add_sums;
  table.gate_forward = gate_forward;
  table.gate_backward = gate_backward;
  table.sum_rows = sum_rows;
}

}  // namespace lockstep
