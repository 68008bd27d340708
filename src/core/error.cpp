#include "lockstep/core/error.h"

#include <filesystem>
#include <new>

#include "lockstep/core/reason.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

// Whether another path would do.
bool blames_the_path(const std::error_code& code) {
  for (const std::errc each :
       {std::errc::filename_too_long, std::errc::no_such_file_or_directory,
        std::errc::not_a_directory, std::errc::permission_denied,
        std::errc::too_many_symbolic_link_levels, std::errc::invalid_argument}) {
    if (code == each) return true;
  }
  return false;
}

}  // namespace

Error::Error(ExitCode code, const std::string& message, Reach reach)
    : std::runtime_error(printable(message)), code_(code), reach_(reach) {}

Error Error::from(const std::exception& exception) {
  if (const auto* error = dynamic_cast<const Error*>(&exception)) return *error;
  if (dynamic_cast<const std::bad_alloc*>(&exception) != nullptr) {
    return {ExitCode::kInternal, "out of memory"};
  }
  const auto* fault = dynamic_cast<const std::filesystem::filesystem_error*>(&exception);
  if (fault != nullptr && !fault->path1().empty()) {
    const bool is_of_two = !fault->path2().empty();
    const std::filesystem::path& to = is_of_two ? fault->path2() : fault->path1();
    std::string paths = fault->path1().string();
    if (is_of_two) paths += " to " + to.string();
    return {blames_the_path(fault->code()) ? ExitCode::kUsage : ExitCode::kInternal,
            fmt::format("{}: {}", paths, reason_of(fault->code().value(), to))};
  }
  const std::string text = exception.what();
  return {ExitCode::kInternal, text.substr(0, text.find('\n'))};
}

}  // namespace lockstep
