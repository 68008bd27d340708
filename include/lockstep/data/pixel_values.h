// The values of pixels as sources have them: bytes where all of a source are whole numbers
// from 0 to 255, else floats. Plain values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lockstep {

enum class PixelType : std::uint8_t { kByte, kFloat };

constexpr std::size_t bytes_of(PixelType type) {
  return type == PixelType::kByte ? sizeof(std::uint8_t) : sizeof(float);
}

// `count` values that someone else owns.
struct PixelView {
  PixelType type = PixelType::kByte;
  const std::byte* data = nullptr;
  std::size_t count = 0;

  PixelView() = default;
  PixelView(PixelType type_of_data, const void* first, std::size_t values)
      : type(type_of_data), data(static_cast<const std::byte*>(first)), count(values) {}
  explicit PixelView(std::span<const std::uint8_t> bytes)
      : PixelView(PixelType::kByte, bytes.data(), bytes.size()) {}

  std::span<const std::byte> raw() const { return {data, count * bytes_of(type)}; }
  std::span<const std::uint8_t> bytes() const {
    return {reinterpret_cast<const std::uint8_t*>(data), count};
  }
  std::span<const float> floats() const { return {reinterpret_cast<const float*>(data), count}; }
  PixelView part(std::size_t first, std::size_t values) const {
    return {type, data + first * bytes_of(type), values};
  }
};

// The values that stand for black and for full intensity.
struct ValueRange {
  float lowest = 0;
  float highest = 0;  // both 0: to be found out

  bool given() const { return lowest < highest; }
  bool operator==(const ValueRange&) const = default;
};

inline constexpr ValueRange kByteRange{0, 255};

// For the eye: 0 to 255 for the values of `range`, rounded.
std::vector<std::uint8_t> levels_of(PixelView values, const ValueRange& range);

}  // namespace lockstep
