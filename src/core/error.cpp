#include "lockstep/core/error.h"

namespace lockstep {

namespace {

std::string one_line(std::string_view message) {
  std::string line;
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
  return line;
}

}  // namespace

Error::Error(ExitCode code, const std::string& message, Reach reach)
    : std::runtime_error(one_line(message)), code_(code), reach_(reach) {}

}  // namespace lockstep
