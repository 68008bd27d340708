#include "checkpoint/dtypes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

namespace lockstep {

namespace {

struct Dtype {
  std::string_view name;
  std::size_t bytes;
};

constexpr std::array kDtypes = std::to_array<Dtype>({{"F32", 4},
                                                     {"F64", 8},
                                                     {"F16", 2},
                                                     {"BF16", 2},
                                                     {"F8_E4M3", 1},
                                                     {"F8_E5M2", 1},
                                                     {"I64", 8},
                                                     {"I32", 4},
                                                     {"I16", 2},
                                                     {"I8", 1},
                                                     {"U64", 8},
                                                     {"U32", 4},
                                                     {"U16", 2},
                                                     {"U8", 1},
                                                     {"BOOL", 1}});

float of(double value) { return static_cast<float>(value); }

struct Bf16Bits {
  std::uint16_t bits;
};
float of(Bf16Bits value) { return std::bit_cast<float>(std::uint32_t{value.bits} << 16); }

// IEEE 754's binary16: a sign, 5 bits of an exponent of 2 that is 15 too large, 10 of a fraction.
struct HalfBits {
  std::uint16_t bits;
};
float of(HalfBits value) {
  const std::uint32_t sign = (value.bits & 0x8000U) << 16;
  const std::uint32_t exponent = (value.bits >> 10) & 0x1FU;
  const std::uint32_t fraction = value.bits & 0x3FFU;
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 0x1F ? 0xFFU : exponent + 127 - 15;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

template <typename Stored>
void read(const char* bytes, std::int64_t count, float* floats) {
  for (std::int64_t i = 0; i < count; ++i) {
    Stored value;
    std::memcpy(&value, bytes + i * static_cast<std::int64_t>(sizeof value), sizeof value);
    floats[i] = of(value);
  }
}

}  // namespace

std::size_t dtype_bytes(std::string_view dtype) {
  const auto* found = std::find_if(kDtypes.begin(), kDtypes.end(),
                                   [&](const Dtype& each) { return each.name == dtype; });
  return found == kDtypes.end() ? 0 : found->bytes;
}

bool is_float(std::string_view dtype) {
  return dtype == "F32" || dtype == "F64" || dtype == "F16" || dtype == "BF16";
}

void to_floats(std::string_view dtype, const char* bytes, std::int64_t count, float* floats) {
  if (count == 0) return;
  if (dtype == "F64") return read<double>(bytes, count, floats);
  if (dtype == "F16") return read<HalfBits>(bytes, count, floats);
  if (dtype == "BF16") return read<Bf16Bits>(bytes, count, floats);
  std::memcpy(floats, bytes, static_cast<std::size_t>(count) * sizeof(float));
}

bool beyond_floats(std::string_view dtype, const char* bytes, std::int64_t count) {
  if (dtype != "F64") return false;
  for (std::int64_t i = 0; i < count; ++i) {
    double value = 0;
    std::memcpy(&value, bytes + i * static_cast<std::int64_t>(sizeof value), sizeof value);
    if (std::isfinite(value) && !std::isfinite(of(value))) return true;
  }
  return false;
}

}  // namespace lockstep
