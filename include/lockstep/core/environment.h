// Numbers that come from the environment.
#pragma once

#include <cstdint>
#include <optional>

namespace lockstep {

// Local: the seconds that a variable names, above 0; `otherwise` where it is not set. Any
// other text is a usage error.
double seconds_from_environment(const char* variable, double otherwise);

// Local: the bytes that a variable names; none where it is not set. Error (2): any other text.
std::optional<std::uint64_t> bytes_from_environment(const char* variable);

}  // namespace lockstep
