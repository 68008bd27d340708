// Runs of pixels in the text of a CSV row, parsed by the best means that the
// processor has. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace lockstep {

// Parses `count` fields into out[0, count). A field is 1 to 3 digits, at most 255,
// and one separator behind them. The text after the last separator, or null where a field
// is not as it should be; what is in `out` is then of no use.
//
// The fields must start a line or follow a separator or a quote. Reads at most
// kMostPixelBytes a field, and beyond these and before `text` as many bytes as the
// constants say.
using PixelParser = const char* (*)(const char* text, std::uint8_t* out, int count);

inline constexpr std::size_t kMostPixelBytes = 4;
inline constexpr std::size_t kPixelLookAheadBytes = 64;
inline constexpr std::size_t kPixelLookBackBytes = 3;

// Those that this processor can run, the fastest first. All of them do the same.
// `separator` is ',', ';', a tab or a blank.
std::span<const PixelParser> pixel_parsers(char separator);

// The end of the one field at `text`, which anything may follow, or null.
inline const char* parse_pixel(const char* text, std::uint8_t* out) {
  unsigned value = 0;
  int digits = 0;
  for (; digits < 3 && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    value = 10 * value + static_cast<unsigned>(text[digits] - '0');
  }
  if (digits == 0 || value > 255) return nullptr;
  *out = static_cast<std::uint8_t>(value);
  return text + digits;
}

}  // namespace lockstep
