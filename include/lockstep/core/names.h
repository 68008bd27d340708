// "Did you mean": the nearest of some known names. Any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace lockstep {

// The known name at the least edit distance from `name`, the first of equals, or
// an empty string when none is within a third of its length (at least 2). The
// distance is the optimal string alignment (Damerau-Levenshtein in which no part
// is edited twice), blind to the case of ASCII letters.
std::string nearest_name(std::string_view name, std::span<const std::string> known);

// "; did you mean \"x\"?", or an empty string when no known name is near.
std::string did_you_mean(std::string_view name, std::span<const std::string> known);

}  // namespace lockstep
