// The formulas that stand in CPU code and in GPU kernels, told once. Compiled by the
// host's compiler, also into loops that become vector code, and by NVRTC, which knows no
// standard library: built-in types alone. Always inlined, so that no code for one kind of
// processor can be linked into another's place. Pure functions; any thread. Those of the loss and
// of the update are in learning_formulas.h.
#pragma once

#ifdef __CUDACC_RTC__
#define LOCKSTEP_FORMULA __device__ inline
#define LOCKSTEP_MATH(function) function
#else
#define LOCKSTEP_FORMULA inline __attribute__((always_inline))
#define LOCKSTEP_MATH(function) __builtin_##function
#endif

namespace lockstep {

// Output pixel (x, y) is taken from the image at (xx x + xy y + x0, -xy x + xx y + y0),
// counted from one pixel left of it and above.
struct SourceMap {
  float xx = 1;
  float xy = 0;
  float x0 = 1;
  float y0 = 1;
};

// Four pixels, counted from one left of the image and above, and the way between them.
struct PixelPlace {
  int left, top;
  float part_x, part_y;
};

// In a sum along the tree over lanes, as postfix order (parallel/lane_tree.h): add the
// two values before. The other steps are indices of values.
inline constexpr int kAdd = -1;
inline constexpr int kDeepestTree = 32;  // values that wait to be added, at most

// Of a pooling window: the output has no gradient to pass on.
inline constexpr unsigned char kClosed = 255;

// Of a channel of a batch norm: dx = kd d + kx x + k1, d being the gradient at its output.
struct NormGradients {
  float scale;  // of the scale; that of the shift is the sum of d
  float kd, kx, k1;
};

namespace formula {

// --- bf16, the upper half of fp32's bits ------------------------------------

LOCKSTEP_FORMULA float from_bf16(unsigned short bits) {
  return __builtin_bit_cast(float, static_cast<unsigned>(bits) << 16);
}

// Rounded to nearest even; a NaN becomes the quiet one.
LOCKSTEP_FORMULA unsigned short to_bf16(float value) {
  const auto bits = __builtin_bit_cast(unsigned, value);
  const unsigned rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  const bool nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
  return static_cast<unsigned short>(nan ? 0x7FC0U : rounded);
}

// --- Batch normalization: see model/norm.cpp --------------------------------

LOCKSTEP_FORMULA float inverse_deviation(float variance, float epsilon) {
  return 1 / LOCKSTEP_MATH(sqrtf)(variance + epsilon);
}

// What makes a variance over `rows` values the unbiased estimate.
LOCKSTEP_FORMULA float unbiased(float rows) { return rows > 1 ? rows / (rows - 1) : 1; }

// From the sums over `rows` values of d and of d x.
LOCKSTEP_FORMULA NormGradients norm_gradients(float factor, float inverse, float mean, float sum_d,
                                              float sum_dx, float rows) {
  const float sum_d_normal = inverse * (sum_dx - mean * sum_d);
  const float kx = -factor * inverse * sum_d_normal / rows;
  return {sum_d_normal, factor, kx, -factor * sum_d / rows - kx * mean};
}

// A NaN stays.
LOCKSTEP_FORMULA float relu_if(bool on, float value) { return on && value < 0 ? 0.0F : value; }
LOCKSTEP_FORMULA float at_most(float limit, float value) { return value > limit ? limit : value; }

// Mean and biased variance of `count` values, from their sum and that of their squares.
LOCKSTEP_FORMULA void moments(double sum, double square, double count, float& mean,
                              float& variance) {
  const double m = sum / count;
  const double v = square / count - m * m;
  mean = static_cast<float>(m);
  variance = v > 0 ? static_cast<float>(v) : 0.0F;
}

// --- Philox4x32-10; see core/philox.h ---------------------------------------

inline constexpr int kPhiloxRounds = 10;
inline constexpr unsigned long kPhiloxMultiplier = 0xD2511F53;

LOCKSTEP_FORMULA constexpr void philox_round(unsigned key0, unsigned key1, unsigned& word0,
                                             unsigned& word1, unsigned& word2, unsigned& word3) {
  const unsigned long product0 = kPhiloxMultiplier * word0;
  const unsigned long product1 = 0xCD9E8D57UL * word2;
  word0 = static_cast<unsigned>(product1 >> 32) ^ word1 ^ key0;
  word1 = static_cast<unsigned>(product1);
  word2 = static_cast<unsigned>(product0 >> 32) ^ word3 ^ key1;
  word3 = static_cast<unsigned>(product0);
}

// The key of the next round.
LOCKSTEP_FORMULA constexpr void raise_philox_key(unsigned& key0, unsigned& key1) {
  key0 += 0x9E3779B9U;
  key1 += 0xBB67AE85U;
}

// A counter becomes the block of the stream of that key.
LOCKSTEP_FORMULA constexpr void philox(unsigned key0, unsigned key1, unsigned& word0,
                                       unsigned& word1, unsigned& word2, unsigned& word3) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    philox_round(key0, key1, word0, word1, word2, word3);
    raise_philox_key(key0, key1);
  }
}

// --- A moved image, bilinear ------------------------------------------------

LOCKSTEP_FORMULA float clamp(float value, float largest) {
  const float positive = value < 0.0F ? 0.0F : value;
  return largest < positive ? largest : positive;
}

// Of output pixel (x, y); at most one pixel outside the image.
LOCKSTEP_FORMULA PixelPlace source_of(const SourceMap& map, int width, int height, int x, int y) {
  const float row_x = map.xy * static_cast<float>(y) + map.x0;
  const float row_y = map.xx * static_cast<float>(y) + map.y0;
  const float at_x = clamp(map.xx * static_cast<float>(x) + row_x, static_cast<float>(width + 1));
  const float at_y = clamp(-map.xy * static_cast<float>(x) + row_y, static_cast<float>(height + 1));
  const int left = static_cast<int>(at_x);
  const int top = static_cast<int>(at_y);
  return {left, top, at_x - static_cast<float>(left), at_y - static_cast<float>(top)};
}

LOCKSTEP_FORMULA float bilinear(const PixelPlace& place, float upper_left, float upper_right,
                                float lower_left, float lower_right) {
  const float upper = upper_left + place.part_x * (upper_right - upper_left);
  const float lower = lower_left + place.part_x * (lower_right - lower_left);
  return upper + place.part_y * (lower - upper);
}

}  // namespace formula

}  // namespace lockstep
