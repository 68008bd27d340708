#include "lockstep/core/text.h"

#include <fmt/format.h>

#include <cstddef>

namespace lockstep {

namespace {

// Bytes of the control character that begins `text`; 0 where another character does.
std::size_t control_size(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x20 || first == 0x7F) return 1;
  if (first != 0xC2 || text.size() == 1) return 0;
  const auto second = static_cast<unsigned char>(text[1]);
  return second >= 0x80 && second < 0xA0 ? 2 : 0;
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string small(text);
  for (char& c : small) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return small;
}

std::string printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const std::size_t control = control_size(text);
    for (std::size_t i = 0; i < control; ++i) {
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i]));
    }
    if (control == 0) shown += text.front();
    text.remove_prefix(control == 0 ? 1 : control);
  }
  return shown;
}

}  // namespace lockstep
