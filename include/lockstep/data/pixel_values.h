// The values of pixels as sources have them: bytes where all of a source are whole numbers
// from 0 to 255, else floats. Plain values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lockstep {

enum class PixelType : std::uint8_t { kByte, kFloat };

constexpr std::size_t bytes_of(PixelType type) {
  return type == PixelType::kByte ? sizeof(std::uint8_t) : sizeof(float);
}

}  // namespace lockstep
