#include "lockstep/data/pixel_values.h"

#include <algorithm>
#include <cmath>

namespace lockstep {

namespace {

template <class Value>
std::vector<std::uint8_t> scaled(std::span<const Value> values, const ValueRange& range) {
  const double factor = 255.0 / (double{range.highest} - double{range.lowest});
  std::vector<std::uint8_t> levels;
  levels.reserve(values.size());
  for (const Value value : values) {
    const double level = (static_cast<double>(value) - range.lowest) * factor;
    levels.push_back(static_cast<std::uint8_t>(std::lround(std::clamp(level, 0.0, 255.0))));
  }
  return levels;
}

}  // namespace

std::vector<std::uint8_t> levels_of(PixelView values, const ValueRange& range) {
  const ValueRange& known = range.given() ? range : kByteRange;
  if (values.type == PixelType::kFloat) return scaled(values.floats(), known);
  if (known != kByteRange) return scaled(values.bytes(), known);
  return {values.bytes().begin(), values.bytes().end()};
}

}  // namespace lockstep
