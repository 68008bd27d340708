// How the report writes names and numbers. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep {

// `text` as UTF-8 that may stand in HTML and XML: each byte that is no UTF-8, and
// each control character but tab and newline, becomes U+FFFD.
std::string valid_text(std::string_view text);

// valid_text, cut to `width` code points with an ellipsis at the end.
std::string shortened(std::string_view text, std::size_t width);

std::string grouped(std::int64_t number);       // 33,600
std::string percent(double share);              // 99.27%
std::string duration(double seconds);           // 42.0 s, 12 min 40 s, 3 h 05 min
std::string rounded(double value);              // 4 significant digits; "n/a" when not finite
std::string class_name(std::string_view name);  // valid_text, or "(empty)"

}  // namespace lockstep
