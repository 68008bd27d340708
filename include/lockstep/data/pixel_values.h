// The values of pixels as sources have them: bytes where all of a source are whole numbers
// from 0 to 255, else floats. Plain values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/data/options.h"

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

// For the eye: 0 to 255 for the values of `range`, rounded.
std::vector<std::uint8_t> levels_of(PixelView values, const ValueRange& range);

}  // namespace lockstep
