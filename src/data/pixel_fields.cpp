#include "data/pixel_fields.h"

#include <bit>
#include <cstring>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lockstep {

namespace {

template <char kSeparator>
const char* parse_one_by_one(const char* text, std::uint8_t* out, int count) {
  for (int i = 0; i < count; ++i) {
    text = parse_pixel(text, out + i);
    if (text == nullptr || *text != kSeparator) return nullptr;
    ++text;
  }
  return text;
}

#if defined(__x86_64__)

// The vector parsers do the same at every byte of a block of text, whatever it is:
// they take the three bytes before it for a field of ones, tens and hundreds, as far
// as these are digits. The results at separators are the pixels, and are packed. No
// branch depends on the fields, and since the loads reach back, a block may start
// inside a field.
//
// A byte is good when it is a digit after fewer than three digits, or a separator after
// a field of at most 255. Of bytes that have been found good, and of what may stand before
// a field, the digits are those above kBelowDigits, once kTurned has been turned in them:
// it brings ';', which is above the digits, below them.
template <char kSeparator>
constexpr char kTurned = kSeparator == ';' || kSeparator == ' ' ? 0x0B : 0;
template <char kSeparator>
constexpr char kBelowDigits = kTurned<kSeparator> == 0 ? '0' - 1 : ('9' ^ 0x0B) - 1;

// By a digit; a byte's lower half is an index of the shuffles below.
alignas(16) constexpr std::uint8_t kTens[16] = {0, 10, 20, 30, 40, 50, 60, 70, 80, 90};
alignas(16) constexpr std::uint8_t kHundreds[16] = {0, 100, 200};
// Where the tens and ones begin to be too much.
alignas(16) constexpr std::uint8_t kTooMuch[16] = {100, 100, 56};

#define LOCKSTEP_AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))

LOCKSTEP_AVX2 inline __m256i load_avx2(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

LOCKSTEP_AVX2 inline __m256i table_avx2(const std::uint8_t* table) {
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
}

// Writes the bytes of `values` at the set bytes of `chosen`, and up to 8 others
// behind them; the end of what was chosen.
LOCKSTEP_AVX2 inline std::uint8_t* pack_avx2(__m256i values, __m256i chosen, std::uint8_t* out) {
  std::uint64_t words[4];
  std::uint64_t masks[4];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(words), values);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(masks), chosen);
  for (int i = 0; i < 4; ++i) {
    const std::uint64_t packed = _pext_u64(words[i], masks[i]);
    std::memcpy(out, &packed, sizeof(packed));
    out += std::popcount(masks[i]) / 8;
  }
  return out;
}

template <char kSeparator>
LOCKSTEP_AVX2 inline __m256i digits_avx2(__m256i bytes) {
  if constexpr (kTurned<kSeparator> != 0) {
    bytes = _mm256_xor_si256(bytes, _mm256_set1_epi8(kTurned<kSeparator>));
  }
  return _mm256_cmpgt_epi8(bytes, _mm256_set1_epi8(kBelowDigits<kSeparator>));
}

template <char kSeparator>
LOCKSTEP_AVX2 const char* parse_avx2(const char* text, std::uint8_t* out, int count) {
  constexpr int kBlockBytes = 32;
  constexpr int kMostWritten = 20;  // pixels of three words, and a word
  const __m256i separator = _mm256_set1_epi8(kSeparator);
  const __m256i zero = _mm256_set1_epi8('0');
  std::uint8_t* const last = out + count;
  for (; last - out >= kMostWritten; text += kBlockBytes) {
    const __m256i byte = load_avx2(text);
    const __m256i one = load_avx2(text - 1);
    const __m256i ten = load_avx2(text - 2);
    const __m256i hundred = load_avx2(text - 3);
    const __m256i ends = _mm256_cmpeq_epi8(byte, separator);
    const __m256i digit = _mm256_sub_epi8(byte, zero);
    const __m256i is_digit = _mm256_cmpeq_epi8(_mm256_min_epu8(digit, _mm256_set1_epi8(9)), digit);
    const __m256i has_one = digits_avx2<kSeparator>(one);
    const __m256i has_two = _mm256_and_si256(has_one, digits_avx2<kSeparator>(ten));
    const __m256i has_three = _mm256_and_si256(has_two, digits_avx2<kSeparator>(hundred));
    const __m256i tens = _mm256_and_si256(has_two, _mm256_shuffle_epi8(table_avx2(kTens), ten));
    const __m256i low = _mm256_add_epi8(_mm256_sub_epi8(one, zero), tens);
    const __m256i hundreds =
        _mm256_and_si256(has_three, _mm256_shuffle_epi8(table_avx2(kHundreds), hundred));
    const __m256i limit = _mm256_shuffle_epi8(table_avx2(kTooMuch), hundred);
    const __m256i too_much =
        _mm256_and_si256(has_three, _mm256_cmpeq_epi8(_mm256_max_epu8(low, limit), low));
    const __m256i good =
        _mm256_or_si256(_mm256_andnot_si256(has_three, is_digit),
                        _mm256_and_si256(ends, _mm256_andnot_si256(too_much, has_one)));
    if (_mm256_movemask_epi8(good) != -1) return nullptr;
    out = pack_avx2(_mm256_add_epi8(low, hundreds), ends, out);
  }
  // Back to the start of the field in which the last block ended.
  while (text[-1] >= '0' && text[-1] <= '9') --text;
  return parse_one_by_one<kSeparator>(text, out, static_cast<int>(last - out));
}

#define LOCKSTEP_AVX512 \
  __attribute__((target("avx512bw,avx512vl,avx512vbmi2,bmi,bmi2,lzcnt,popcnt")))

LOCKSTEP_AVX512 inline __m512i table_avx512(const std::uint8_t* table) {
  // With a mask of all: GCC 12 warns of the plain form's undefined other operand.
  return _mm512_maskz_broadcast_i32x4(0xFFFF,
                                      _mm_load_si128(reinterpret_cast<const __m128i*>(table)));
}

template <char kSeparator>
LOCKSTEP_AVX512 inline __mmask64 digits_avx512(__m512i bytes) {
  if constexpr (kTurned<kSeparator> != 0) {
    bytes = _mm512_xor_si512(bytes, _mm512_set1_epi8(kTurned<kSeparator>));
  }
  return _mm512_cmpgt_epi8_mask(bytes, _mm512_set1_epi8(kBelowDigits<kSeparator>));
}

template <char kSeparator>
LOCKSTEP_AVX512 const char* parse_avx512(const char* text, std::uint8_t* out, int count) {
  constexpr int kMostBlockFields = 32;
  const __m512i separator = _mm512_set1_epi8(kSeparator);
  const __m512i zero = _mm512_set1_epi8('0');
  while (count > 0) {
    const __m512i byte = _mm512_loadu_si512(text);
    const __m512i one = _mm512_loadu_si512(text - 1);
    const __m512i ten = _mm512_loadu_si512(text - 2);
    const __m512i hundred = _mm512_loadu_si512(text - 3);
    std::uint64_t ends = _mm512_cmpeq_epi8_mask(byte, separator);
    std::uint64_t used = ~std::uint64_t{0};
    if (count <= kMostBlockFields) {
      ends = _pdep_u64((std::uint64_t{1} << count) - 1, ends);
      if (std::popcount(ends) == count) used >>= std::countl_zero(ends);
    }
    const __mmask64 is_digit =
        _mm512_cmplt_epu8_mask(_mm512_sub_epi8(byte, zero), _mm512_set1_epi8(10));
    const __mmask64 has_one = digits_avx512<kSeparator>(one);
    const __mmask64 has_two = has_one & digits_avx512<kSeparator>(ten);
    const __mmask64 has_three = has_two & digits_avx512<kSeparator>(hundred);
    const __m512i tens = _mm512_maskz_shuffle_epi8(has_two, table_avx512(kTens), ten);
    const __m512i low = _mm512_add_epi8(_mm512_sub_epi8(one, zero), tens);
    const __m512i hundreds = _mm512_maskz_shuffle_epi8(has_three, table_avx512(kHundreds), hundred);
    const __m512i limit = _mm512_shuffle_epi8(table_avx512(kTooMuch), hundred);
    const __mmask64 too_much = _mm512_mask_cmpge_epu8_mask(has_three, low, limit);
    const std::uint64_t good = (is_digit & ~has_three) | (ends & has_one & ~too_much);
    if ((used & ~good) != 0) return nullptr;
    const __m512i pixels = _mm512_maskz_compress_epi8(ends, _mm512_add_epi8(low, hundreds));
    const __m256i packed = _mm512_maskz_extracti64x4_epi64(0xFF, pixels, 0);
    if (count >= kMostBlockFields) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), packed);
    } else {
      _mm256_mask_storeu_epi8(out, (std::uint32_t{1} << std::popcount(ends)) - 1, packed);
    }
    text += std::bit_width(used);
    out += std::popcount(ends);
    count -= std::popcount(ends);
  }
  return text;
}

#endif

template <char kSeparator>
std::vector<PixelParser> choose_parsers() {
  std::vector<PixelParser> parsers;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512vbmi2")) {
    parsers.push_back(parse_avx512<kSeparator>);
  }
  if (__builtin_cpu_supports("x86-64-v3")) parsers.push_back(parse_avx2<kSeparator>);
#endif
  parsers.push_back(parse_one_by_one<kSeparator>);
  return parsers;
}

template <char kSeparator>
std::span<const PixelParser> parsers_of() {
  static const std::vector<PixelParser> parsers = choose_parsers<kSeparator>();
  return parsers;
}

}  // namespace

std::span<const PixelParser> pixel_parsers(char separator) {
  switch (separator) {
    case ';':
      return parsers_of<';'>();
    case '\t':
      return parsers_of<'\t'>();
    case ' ':
      return parsers_of<' '>();
    default:
      return parsers_of<','>();
  }
}

}  // namespace lockstep
