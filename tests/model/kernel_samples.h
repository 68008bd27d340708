// Values for tests of kernels, and the kernels of every instruction set.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "model/kernels.h"

namespace lockstep {

extern const Kernels kernels_baseline;
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
void use_bf16_instructions(TypedKernels<Bf16>& table);

namespace samples {

inline double real(float value) { return value; }
inline double real(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}
inline double real(Bf16 value) { return real(value.bits); }

// Round to nearest even, by the neighbours' distances.
inline std::uint16_t nearest_bf16(float value) {
  const auto below = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
  const auto above = static_cast<std::uint16_t>(below + 1);
  const double down = std::abs(real(Bf16{below}) - value);
  const double up = std::abs(real(Bf16{above}) - value);
  if (down == up) return below % 2 == 0 ? below : above;
  return down < up ? below : above;
}

inline void set(float& to, double value) { to = static_cast<float>(value); }
inline void set(Bf16& to, double value) { to.bits = nearest_bf16(static_cast<float>(value)); }

// Half a unit in the last place of a stored result, and some for fp32 arithmetic.
inline double store_error(float /*type*/) { return 2e-6; }
inline double store_error(Bf16 /*type*/) { return 0x1.0p-8; }

template <typename T>
std::vector<T> sample(std::int64_t count, double seed) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    set(values[i], std::sin(seed + 0.7 * static_cast<double>(i * i % 10007)) + 0.2);
  }
  return values;
}

// Uniform in [-1, 1), rounded where T is bf16.
template <typename T>
std::vector<T> random_values(std::int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& v : values) v = uniform(generator);
  if constexpr (std::is_same_v<T, float>) {
    return values;
  } else {
    std::vector<T> rounded(values.size());
    kernels().round_to_bf16(values.data(), reinterpret_cast<std::uint16_t*>(rounded.data()), count);
    return rounded;
  }
}

inline std::vector<std::uint8_t> sample_bytes(std::int64_t count) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>(i * i * 37 / 5);
  return bytes;
}

inline const Kernels& kernels_with_bf16_instructions() {
  static const Kernels table = [] {
    Kernels kernels = kernels_avx512;
    use_bf16_instructions(kernels.bf16);
    return kernels;
  }();
  return table;
}

// The tables that this processor can run, by name.
inline std::vector<std::pair<std::string, const Kernels*>> all_tables() {
  std::vector<std::pair<std::string, const Kernels*>> tables = {{"baseline", &kernels_baseline}};
  if (__builtin_cpu_supports("x86-64-v3")) tables.emplace_back("avx2", &kernels_avx2);
  if (__builtin_cpu_supports("x86-64-v4")) tables.emplace_back("avx512", &kernels_avx512);
  if (__builtin_cpu_supports("avx512bf16")) {
    tables.emplace_back("avx512 bf16", &kernels_with_bf16_instructions());
  }
  return tables;
}

template <typename T>
class EachKernel : public testing::Test {
 protected:
  static std::vector<std::pair<std::string, TypedKernels<T>>> tables() {
    std::vector<std::pair<std::string, TypedKernels<T>>> tables;
    for (const auto& [name, table] : all_tables()) {
      tables.emplace_back(name, table->template of<T>());
    }
    return tables;
  }
};

}  // namespace samples
}  // namespace lockstep
