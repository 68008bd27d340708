#include "lockstep/core/error.h"

#include <new>

#include "lockstep/core/text.h"

namespace lockstep {

Error::Error(ExitCode code, const std::string& message, Reach reach)
    : std::runtime_error(printable(message)), code_(code), reach_(reach) {}

Error Error::from(const std::exception& exception) {
  if (const auto* error = dynamic_cast<const Error*>(&exception)) return *error;
  if (dynamic_cast<const std::bad_alloc*>(&exception) != nullptr) {
    return {ExitCode::kInternal, "out of memory"};
  }
  const std::string text = exception.what();
  return {ExitCode::kInternal, text.substr(0, text.find('\n'))};
}

}  // namespace lockstep
