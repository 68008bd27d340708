// Numbers, words and names in messages. Pure.
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

// With small letters for the capital ones of ASCII.
std::string lower_case(std::string_view text);

// `text` from outside, such as a name in a file, made fit for a terminal and for one line: each
// byte of a control character (C0, DEL, and C1 in UTF-8) as \x and two hex digits.
std::string printable(std::string_view text);

}  // namespace lockstep
