// Numbers and words of messages. Any thread.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <string>
#include <string_view>

namespace lockstep {

// "1 row", "0 rows", "2 rows"; for a plural that does not end in s, `many`.
std::string count_of(std::integral auto count, std::string_view one, std::string_view many = {}) {
  if (count == 1) return fmt::format("1 {}", one);
  return many.empty() ? fmt::format("{} {}s", count, one) : fmt::format("{} {}", count, many);
}

}  // namespace lockstep
