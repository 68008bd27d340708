#include "lockstep/core/environment.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "lockstep/core/error.h"

namespace lockstep {

double seconds_from_environment(const char* variable, double otherwise) {
  const char* value = std::getenv(variable);
  if (value == nullptr) return otherwise;
  const std::string_view text = value;
  constexpr double kMostSeconds = 1e9;  // what clocks can add
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || !(seconds > 0 && seconds <= kMostSeconds)) {
    fail_usage("{} is \"{}\": expected seconds, more than 0", variable, text);
  }
  return seconds;
}

std::optional<std::uint64_t> bytes_from_environment(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr) return std::nullopt;
  const std::string_view text = value;
  std::uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc() || end != text.data() + text.size()) {
    fail_usage("{} is \"{}\": expected a number of bytes", variable, text);
  }
  return bytes;
}

}  // namespace lockstep
