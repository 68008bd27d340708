// The bodies of the kernels, included by one source file for each instruction
// set, which defines LOCKSTEP_KERNELS to the name of its table. Everything is in
// an unnamed namespace and nothing comes from the standard library, so that no
// code for one instruction set can be linked into another's place.

#include "model/kernels.h"

namespace lockstep {

namespace {

inline float load(float value) { return value; }
inline float load(Bf16 value) {
  const std::uint32_t bits = static_cast<std::uint32_t>(value.bits) << 16;
  return __builtin_bit_cast(float, bits);
}

inline std::uint16_t bf16_bits(float value) {
  const auto bits = __builtin_bit_cast(std::uint32_t, value);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  const bool nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
  return static_cast<std::uint16_t>(nan ? 0x7FC0U : rounded);
}

inline void store(float* to, float value) { *to = value; }
inline void store(Bf16* to, float value) { to->bits = bf16_bits(value); }

inline float relu_if(bool on, float value) { return on && value < 0 ? 0.0F : value; }

constexpr std::int64_t kBlockRows = 64;  // summed in fp32 before going to double
constexpr std::int64_t kBlockChannels = 512;

void round_to_bf16(const float* from, std::uint16_t* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = bf16_bits(from[i]);
}

// --- Sums over rows ---------------------------------------------------------

// total[c] += the sums over a block of rows of first(r, c), and likewise second.
template <typename First, typename Second>
inline void add_block(std::int64_t rows, std::int64_t channels, double* first_total,
                      double* second_total, First first, Second second) {
  float first_sum[kBlockChannels] = {};
  float second_sum[kBlockChannels] = {};
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t c = 0; c < channels; ++c) {
      first_sum[c] += first(row, c);
      second_sum[c] += second(row, c);
    }
  }
  for (std::int64_t c = 0; c < channels; ++c) {
    first_total[c] += static_cast<double>(first_sum[c]);
    second_total[c] += static_cast<double>(second_sum[c]);
  }
}

// Calls block(first row, rows, first channel, channels, totals) over all rows in
// blocks, and hands the totals of each block of channels to finish(c, a, b).
template <typename Block, typename Finish>
inline void sum_in_blocks(std::int64_t rows, std::int64_t channels, Block block, Finish finish) {
  for (std::int64_t c0 = 0; c0 < channels; c0 += kBlockChannels) {
    const std::int64_t width = channels - c0 < kBlockChannels ? channels - c0 : kBlockChannels;
    double first_total[kBlockChannels] = {};
    double second_total[kBlockChannels] = {};
    for (std::int64_t r0 = 0; r0 < rows; r0 += kBlockRows) {
      const std::int64_t height = rows - r0 < kBlockRows ? rows - r0 : kBlockRows;
      block(r0, height, c0, width, first_total, second_total);
    }
    for (std::int64_t c = 0; c < width; ++c) finish(c0 + c, first_total[c], second_total[c]);
  }
}

template <typename T, bool kRelu>
void moments_of(const T* x, std::int64_t rows, std::int64_t channels, float* mean,
                float* variance) {
  sum_in_blocks(
      rows, channels,
      [&](std::int64_t r0, std::int64_t height, std::int64_t c0, std::int64_t width, double* sum,
          double* square) {
        const T* base = x + r0 * channels + c0;
        const auto at = [&](std::int64_t r, std::int64_t c) {
          return relu_if(kRelu, load(base[r * channels + c]));
        };
        add_block(height, width, sum, square, at,
                  [&](std::int64_t r, std::int64_t c) { return at(r, c) * at(r, c); });
      },
      [&](std::int64_t c, double sum, double square) {
        const double count = static_cast<double>(rows);
        const double m = sum / count;
        const double v = square / count - m * m;
        mean[c] = static_cast<float>(m);
        variance[c] = v > 0 ? static_cast<float>(v) : 0.0F;
      });
}

template <typename T>
void moments(const T* x, std::int64_t rows, std::int64_t channels, bool relu, float* mean,
             float* variance) {
  if (relu) {
    moments_of<T, true>(x, rows, channels, mean, variance);
  } else {
    moments_of<T, false>(x, rows, channels, mean, variance);
  }
}

template <typename T>
void sum_rows(const T* x, std::int64_t rows, std::int64_t channels, float* sums) {
  sum_in_blocks(
      rows, channels,
      [&](std::int64_t r0, std::int64_t height, std::int64_t c0, std::int64_t width, double* sum,
          double* unused) {
        const T* base = x + r0 * channels + c0;
        add_block(
            height, width, sum, unused,
            [&](std::int64_t r, std::int64_t c) { return load(base[r * channels + c]); },
            [](std::int64_t, std::int64_t) { return 0.0F; });
      },
      [&](std::int64_t c, double sum, double) { sums[c] = static_cast<float>(sum); });
}

// --- Relu, batch norm, relu, dropout ----------------------------------------

// The choices of a NormForm as constants, so that the loops have no branches.
template <bool kReluBefore, bool kReluAfter, bool kDrop>
struct Norm {
  template <typename T>
  static void forward(const NormForm& form, const T* x, const float* factor, const float* offset,
                      T* y) {
    for (std::int64_t row = 0; row < form.rows; ++row) {
      const std::int64_t at = row * form.channels;
      for (std::int64_t c = 0; c < form.channels; ++c) {
        float value = factor[c] * relu_if(kReluBefore, load(x[at + c])) + offset[c];
        value = relu_if(kReluAfter, value);
        if constexpr (kDrop) {
          value = form.bits[at + c] >= form.drop_below ? value * form.keep_scale : 0.0F;
        }
        store(&y[at + c], value);
      }
    }
  }

  // The gradient at the batch norm's output, from that of the op's output.
  template <typename T>
  static float gradient(const NormForm& form, float input, float factor, float offset, const T* dy,
                        std::int64_t at) {
    float d = load(dy[at]);
    if constexpr (kDrop) d = form.bits[at] >= form.drop_below ? d * form.keep_scale : 0.0F;
    if constexpr (kReluAfter) d = factor * input + offset > 0 ? d : 0.0F;
    return d;
  }

  template <typename T>
  static void sums(const NormForm& form, const T* x, const float* factor, const float* offset,
                   const T* dy, float* sum_d, float* sum_dx) {
    sum_in_blocks(
        form.rows, form.channels,
        [&](std::int64_t r0, std::int64_t height, std::int64_t c0, std::int64_t width,
            double* total_d, double* total_dx) {
          const std::int64_t base = r0 * form.channels + c0;
          const auto input = [&](std::int64_t r, std::int64_t c) {
            return relu_if(kReluBefore, load(x[base + r * form.channels + c]));
          };
          const auto d = [&](std::int64_t r, std::int64_t c) {
            return gradient(form, input(r, c), factor[c0 + c], offset[c0 + c], dy,
                            base + r * form.channels + c);
          };
          add_block(height, width, total_d, total_dx, d,
                    [&](std::int64_t r, std::int64_t c) { return d(r, c) * input(r, c); });
        },
        [&](std::int64_t c, double d, double dx) {
          sum_d[c] = static_cast<float>(d);
          sum_dx[c] = static_cast<float>(dx);
        });
  }

  template <typename T>
  static void backward(const NormForm& form, const T* x, const float* factor, const float* offset,
                       const T* dy, const float* kd, const float* kx, const float* k1, T* dx) {
    for (std::int64_t row = 0; row < form.rows; ++row) {
      const std::int64_t at = row * form.channels;
      for (std::int64_t c = 0; c < form.channels; ++c) {
        const float raw = load(x[at + c]);
        const float input = relu_if(kReluBefore, raw);
        const float d = gradient(form, input, factor[c], offset[c], dy, at + c);
        const float value = kd[c] * d + kx[c] * input + k1[c];
        store(&dx[at + c], !kReluBefore || raw > 0 ? value : 0.0F);
      }
    }
  }
};

// Calls use(Norm<...>{}) for the form's choices.
template <typename Use>
inline void with_choices(const NormForm& form, Use use) {
  const int choices =
      (form.relu_before ? 4 : 0) + (form.relu_after ? 2 : 0) + (form.bits != nullptr ? 1 : 0);
  switch (choices) {
    case 0:
      return use(Norm<false, false, false>{});
    case 1:
      return use(Norm<false, false, true>{});
    case 2:
      return use(Norm<false, true, false>{});
    case 3:
      return use(Norm<false, true, true>{});
    case 4:
      return use(Norm<true, false, false>{});
    case 5:
      return use(Norm<true, false, true>{});
    case 6:
      return use(Norm<true, true, false>{});
    default:
      return use(Norm<true, true, true>{});
  }
}

template <typename T>
void norm_forward(const NormForm& form, const T* x, const float* factor, const float* offset,
                  T* y) {
  with_choices(form, [&](auto norm) { norm.forward(form, x, factor, offset, y); });
}

template <typename T>
void norm_sums(const NormForm& form, const T* x, const float* factor, const float* offset,
               const T* dy, float* sum_d, float* sum_dx) {
  with_choices(form, [&](auto norm) { norm.sums(form, x, factor, offset, dy, sum_d, sum_dx); });
}

template <typename T>
void norm_backward(const NormForm& form, const T* x, const float* factor, const float* offset,
                   const T* dy, const float* kd, const float* kx, const float* k1, T* dx) {
  with_choices(form,
               [&](auto norm) { norm.backward(form, x, factor, offset, dy, kd, kx, k1, dx); });
}

// --- Relu, max pool, dropout ------------------------------------------------

// One row of outputs' channels; `x` points at the window's first pixel.
template <typename T>
inline void gate_pixel(const GateForm& form, const T* x, std::int64_t at, T* y,
                       std::uint8_t* code) {
  for (std::int64_t c = 0; c < form.channels; ++c) {
    float best = load(x[c]);
    std::uint8_t place = 0;
    for (std::int64_t k = 1; k < form.size * form.size; ++k) {
      const std::int64_t pixel = k / form.size * form.width + k % form.size;
      const float value = load(x[pixel * form.channels + c]);
      place = value > best ? static_cast<std::uint8_t>(k) : place;
      best = value > best ? value : best;
    }
    const bool shut = form.relu && !(best > 0);
    best = form.relu && best < 0 ? 0.0F : best;
    const bool dropped = form.bits != nullptr && form.bits[at + c] < form.drop_below;
    code[at + c] = shut || dropped ? kClosed : place;
    store(&y[at + c], dropped ? 0.0F : best * form.keep_scale);
  }
}

// The 2x2 window, most used by far, with its four pixels named so that the loop
// over channels becomes vector code.
template <typename T, bool kRelu, bool kDrop>
inline void gate_pixel_2x2(const GateForm& form, const T* __restrict x, std::int64_t at,
                           T* __restrict y, std::uint8_t* __restrict code) {
  const T* __restrict below = x + form.width * form.channels;
  const std::uint8_t* __restrict bits = form.bits + at;
  const float scale = form.keep_scale;
  const std::uint8_t drop_below = form.drop_below;
  const std::int64_t channels = form.channels;
  for (std::int64_t c = 0; c < channels; ++c) {
    float best = load(x[c]);
    const float right = load(x[channels + c]);
    const float lower = load(below[c]);
    const float corner = load(below[channels + c]);
    std::uint32_t place = 0;
    place = right > best ? 1 : place;
    best = right > best ? right : best;
    place = lower > best ? 2 : place;
    best = lower > best ? lower : best;
    place = corner > best ? 3 : place;
    best = corner > best ? corner : best;
    if constexpr (kRelu) {
      place = best > 0 ? place : kClosed;
      best = best < 0 ? 0.0F : best;
    }
    if constexpr (kDrop) {
      const bool keep = bits[c] >= drop_below;
      place = keep ? place : kClosed;
      best = keep ? best * scale : 0.0F;
    }
    code[at + c] = static_cast<std::uint8_t>(place);
    store(&y[at + c], best);
  }
}

// The same for bf16 with relu, on the bits: as signed integers the bits of
// numbers that are not negative are in the numbers' order, and those of negative
// numbers are below zero, so the largest of 0 and the four is the pooled value
// (twice as many elements a vector as in fp32). A NaN with its sign set would be
// lost that way; it is found as the largest of the unsigned bits.
template <bool kDrop>
inline void gate_pixel_2x2_relu(const GateForm& form, const Bf16* __restrict x, std::int64_t at,
                                Bf16* __restrict y, std::uint8_t* __restrict code) {
  constexpr std::uint16_t kNegativeInfinity = 0xFF80;
  const Bf16* __restrict below = x + form.width * form.channels;
  const std::uint8_t* __restrict bits = form.bits + at;
  const float scale = form.keep_scale;
  const std::uint8_t drop_below = form.drop_below;
  const std::int64_t channels = form.channels;
  for (std::int64_t c = 0; c < channels; ++c) {
    const std::uint16_t u0 = x[c].bits;
    const std::uint16_t u1 = x[channels + c].bits;
    const std::uint16_t u2 = below[c].bits;
    const std::uint16_t u3 = below[channels + c].bits;
    const auto s0 = static_cast<std::int16_t>(u0);
    const auto s1 = static_cast<std::int16_t>(u1);
    const auto s2 = static_cast<std::int16_t>(u2);
    const auto s3 = static_cast<std::int16_t>(u3);
    const std::int16_t top = s0 > s1 ? s0 : s1;
    const std::int16_t bottom = s2 > s3 ? s2 : s3;
    const std::int16_t largest = top > bottom ? top : bottom;
    const std::uint16_t top_bits = u0 > u1 ? u0 : u1;
    const std::uint16_t bottom_bits = u2 > u3 ? u2 : u3;
    const std::uint16_t largest_bits = top_bits > bottom_bits ? top_bits : bottom_bits;
    std::uint16_t place = s2 == largest ? std::uint16_t{2} : std::uint16_t{3};
    place = s1 == largest ? std::uint16_t{1} : place;
    place = s0 == largest ? std::uint16_t{0} : place;
    place = largest > 0 ? place : kClosed;
    std::uint16_t best = largest > 0 ? static_cast<std::uint16_t>(largest) : std::uint16_t{0};
    best = largest_bits > kNegativeInfinity ? std::uint16_t{0x7FC0} : best;
    if constexpr (kDrop) {
      const bool keep = bits[c] >= drop_below;
      place = keep ? place : kClosed;
      best = keep ? best : std::uint16_t{0};
    }
    code[at + c] = static_cast<std::uint8_t>(place);
    if constexpr (kDrop) {
      store(&y[at + c], load(Bf16{best}) * scale);
    } else {
      y[at + c].bits = best;
    }
  }
}

struct Yes {
  static constexpr bool value = true;
};
struct No {
  static constexpr bool value = false;
};

// Calls use(relu?, drop?) for the form's choices.
template <typename Use>
inline void with_gate_choices(const GateForm& form, Use use) {
  if (form.relu && form.bits != nullptr) return use(Yes{}, Yes{});
  if (form.relu) return use(Yes{}, No{});
  if (form.bits != nullptr) return use(No{}, Yes{});
  return use(No{}, No{});
}

// Without pooling every element stands alone.
template <typename T, bool kRelu, bool kDrop>
inline void gate_elements(const GateForm& form, const T* __restrict x, T* __restrict y,
                          std::uint8_t* __restrict code) {
  const std::int64_t count = form.samples * form.height * form.width * form.channels;
  const std::uint8_t* __restrict bits = form.bits;
  const float scale = form.keep_scale;
  const std::uint8_t drop_below = form.drop_below;
  for (std::int64_t i = 0; i < count; ++i) {
    float value = load(x[i]);
    bool open = true;
    if constexpr (kRelu) {
      open = value > 0;
      value = value < 0 ? 0.0F : value;
    }
    if constexpr (kDrop) {
      const bool keep = bits[i] >= drop_below;
      open = open && keep;
      value = keep ? value * scale : 0.0F;
    }
    code[i] = open ? 0 : kClosed;
    store(&y[i], value);
  }
}

template <typename T>
void gate_forward(const GateForm& form, const T* x, T* y, std::uint8_t* code) {
  if (form.size == 1 && form.stride == 1) {
    return with_gate_choices(form, [&](auto relu, auto drop) {
      gate_elements<T, relu.value, drop.value>(form, x, y, code);
    });
  }
  std::int64_t at = 0;
  for (std::int64_t n = 0; n < form.samples; ++n) {
    const T* sample = x + n * form.height * form.width * form.channels;
    for (std::int64_t oy = 0; oy < form.out_height; ++oy) {
      for (std::int64_t ox = 0; ox < form.out_width; ++ox, at += form.channels) {
        const T* window =
            sample + (oy * form.stride * form.width + ox * form.stride) * form.channels;
        if (form.size == 2) {
          with_gate_choices(form, [&](auto relu, auto drop) {
            if constexpr (relu.value && sizeof(T) == sizeof(Bf16)) {
              gate_pixel_2x2_relu<drop.value>(form, window, at, y, code);
            } else {
              gate_pixel_2x2<T, relu.value, drop.value>(form, window, at, y, code);
            }
          });
        } else {
          gate_pixel(form, window, at, y, code);
        }
      }
    }
  }
}

// Windows that neither overlap nor leave gaps: each place of a window takes the
// gradient or zero.
template <typename T>
inline void spread_gradient(const GateForm& form, std::int64_t at, const T* __restrict dy,
                            const std::uint8_t* __restrict code, T* __restrict dx) {
  const float scale = form.keep_scale;
  const std::int64_t channels = form.channels;
  for (std::int64_t k = 0; k < form.size * form.size; ++k) {
    T* __restrict to = dx + (k / form.size * form.width + k % form.size) * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      const float d = load(dy[at + c]) * scale;
      store(&to[c], code[at + c] == k ? d : 0.0F);
    }
  }
}

// Windows that overlap: gradients are added, in window order.
template <typename T>
inline void add_gradient(const GateForm& form, std::int64_t at, const T* dy,
                         const std::uint8_t* code, T* dx) {
  for (std::int64_t c = 0; c < form.channels; ++c) {
    const std::int64_t k = code[at + c];
    if (k == kClosed) continue;
    T* to = dx + (k / form.size * form.width + k % form.size) * form.channels + c;
    store(to, load(*to) + load(dy[at + c]) * form.keep_scale);
  }
}

template <typename T>
void gate_backward(const GateForm& form, const T* dy, const std::uint8_t* code, T* dx) {
  const std::int64_t inputs = form.samples * form.height * form.width * form.channels;
  if (form.size == 1 && form.stride == 1) {
    const float scale = form.keep_scale;
    for (std::int64_t i = 0; i < inputs; ++i) {
      store(&dx[i], code[i] != kClosed ? load(dy[i]) * scale : 0.0F);
    }
    return;
  }
  const bool tiles = form.size == form.stride;
  const bool covers = tiles && form.out_height * form.size == form.height &&
                      form.out_width * form.size == form.width;
  if (!covers) {
    for (std::int64_t i = 0; i < inputs; ++i) store(&dx[i], 0.0F);
  }
  std::int64_t at = 0;
  for (std::int64_t n = 0; n < form.samples; ++n) {
    T* sample = dx + n * form.height * form.width * form.channels;
    for (std::int64_t oy = 0; oy < form.out_height; ++oy) {
      for (std::int64_t ox = 0; ox < form.out_width; ++ox, at += form.channels) {
        T* window = sample + (oy * form.stride * form.width + ox * form.stride) * form.channels;
        if (tiles) {
          spread_gradient(form, at, dy, code, window);
        } else {
          add_gradient(form, at, dy, code, window);
        }
      }
    }
  }
}

// --- Random bytes -----------------------------------------------------------

constexpr std::int64_t kGroupBlocks = 16;  // Philox blocks side by side
constexpr std::int64_t kGroupBytes = 256;

void random_bytes(const std::uint32_t key[2], std::uint64_t row, std::int64_t count,
                  std::uint8_t* bytes) {
  for (std::int64_t base = 0; base < count; base += kGroupBytes) {
    std::uint32_t word[4][kGroupBlocks];
    for (std::int64_t j = 0; j < kGroupBlocks; ++j) {
      word[0][j] = static_cast<std::uint32_t>(base / kGroupBytes * kGroupBlocks + j);
      word[1][j] = static_cast<std::uint32_t>(row);
      word[2][j] = static_cast<std::uint32_t>(row >> 32);
      word[3][j] = 0;
    }
    std::uint32_t key0 = key[0];
    std::uint32_t key1 = key[1];
    for (int round = 0; round < 10; ++round) {
      for (std::int64_t j = 0; j < kGroupBlocks; ++j) {
        const std::uint64_t product0 = std::uint64_t{0xD2511F53} * word[0][j];
        const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * word[2][j];
        word[0][j] = static_cast<std::uint32_t>(product1 >> 32) ^ word[1][j] ^ key0;
        word[1][j] = static_cast<std::uint32_t>(product1);
        word[2][j] = static_cast<std::uint32_t>(product0 >> 32) ^ word[3][j] ^ key1;
        word[3][j] = static_cast<std::uint32_t>(product0);
      }
      key0 += 0x9E3779B9U;
      key1 += 0xBB67AE85U;
    }
    __builtin_memcpy(bytes + base, word, sizeof(word));
  }
}

template <typename T>
constexpr TypedKernels<T> typed_kernels() {
  return {moments<T>,      norm_forward<T>,  norm_sums<T>, norm_backward<T>,
          gate_forward<T>, gate_backward<T>, sum_rows<T>};
}

}  // namespace

extern const Kernels LOCKSTEP_KERNELS;
const Kernels LOCKSTEP_KERNELS = {typed_kernels<float>(), typed_kernels<Bf16>(), round_to_bf16,
                                  random_bytes};

}  // namespace lockstep
