// Text from outside, such as a name in a file, made fit for a terminal and for one line. Pure.
#pragma once

#include <string>
#include <string_view>

namespace lockstep {

// `text` with each byte of a control character (C0, DEL, and C1 in UTF-8) as \x and two hex
// digits.
std::string printable(std::string_view text);

}  // namespace lockstep
