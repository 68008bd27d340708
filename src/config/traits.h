// What a field may hold, beside its type, as the table of options tells it. The range of a
// number is checked where it is read; what is `required` or told in words, in validate.cpp.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <string>

namespace lockstep {

struct Traits {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool above_low = false;      // `low` itself is outside
  bool below_high = false;     // `high` itself is outside
  bool zero_too = false;       // 0 is inside, with a meaning of its own
  bool required = false;       // the default is no value
  bool written_last = false;   // in text after all fields that are not
  const char* told = nullptr;  // in the table instead of the type and range

  constexpr Traits as(const char* words) const {
    Traits traits = *this;
    traits.told = words;
    return traits;
  }
  constexpr Traits last() const {
    Traits traits = *this;
    traits.written_last = true;
    return traits;
  }
  constexpr bool has_low() const { return low > -std::numeric_limits<double>::infinity(); }
  constexpr bool has_high() const { return high < std::numeric_limits<double>::infinity(); }

  // Whether 0 is inside and what follows is not.
  constexpr bool has_gap() const { return zero_too && low > 1; }

  // A number that is not finite is outside of any range.
  bool allows(double value) const {
    if ((!has_low() && !has_high()) || (zero_too && value == 0)) return true;
    return std::isfinite(value) && (above_low ? value > low : value >= low) &&
           (below_high ? value < high : value <= high);
  }

  // "from 1 to 9", "at least 0 and below 1", ...
  std::string words() const {
    const double least = has_gap() || !zero_too ? low : 0;
    if (has_high() && !above_low && !below_high) {
      return fmt::format("{}from {} to {}", has_gap() ? "0, or " : "", least, high);
    }
    std::string text = fmt::format("{} {}", above_low ? "above" : "at least", least);
    if (has_high()) text += fmt::format(" and {} {}", below_high ? "below" : "at most", high);
    return text;
  }
};

constexpr Traits at_least(double low) { return {.low = low}; }
constexpr Traits from(double low, double high) { return {.low = low, .high = high}; }
constexpr Traits above_zero() { return {.low = 0, .above_low = true}; }
constexpr Traits fraction() { return {.low = 0, .high = 1, .below_high = true}; }
constexpr Traits inside_unit() {
  return {.low = 0, .high = 1, .above_low = true, .below_high = true};
}
constexpr Traits required() { return {.required = true}; }

}  // namespace lockstep
