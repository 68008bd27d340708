#include "lockstep/core/error.h"

#include <new>

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

Error Error::from(const std::exception& exception) {
  if (const auto* error = dynamic_cast<const Error*>(&exception)) return *error;
  if (dynamic_cast<const std::bad_alloc*>(&exception) != nullptr) {
    return {ExitCode::kInternal, "out of memory"};
  }
  const std::string text = exception.what();
  return {ExitCode::kInternal, text.substr(0, text.find('\n'))};
}

}  // namespace lockstep
