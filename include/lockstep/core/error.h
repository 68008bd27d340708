// The one exception type. Thrown by every room, caught by main alone.
//
// A message is one line: what failed, the value seen, what was expected. A
// control character in it, from a user's file, is shown as \x and two hex digits. A
// layer that knows more (a file, a field) catches, calls `within` and rethrows.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace lockstep {

// The exit status of the process; scripts rely on these numbers.
enum class ExitCode : int {
  kDone = 0,
  kInternal = 1,  // a fault of Lockstep itself
  kUsage = 2,     // bad usage, experiment or data
  kDiverged = 3,  // the training diverged
  kPeer = 4,      // a peer failed or timed out
  kRestart = 75,  // saved; wants to be started again
};

// Who knows about the error. An agreed error is thrown on every rank with the
// same text, so the job can end in order and one rank prints it; a local one is
// known to this rank alone, so the job must be ended by force.
enum class Reach { kLocal, kAgreed };

class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message, Reach reach = Reach::kLocal);

  // What was caught: an Error as it is; of a path that cannot be, exit code 2; of a library's
  // exception, whose text may have a trace of calls below it, the first line, with exit code 1.
  static Error from(const std::exception& exception);

  ExitCode code() const { return code_; }
  Reach reach() const { return reach_; }

  // The same error with "context: " before its message.
  Error within(std::string_view context) const {
    return Error(code_, fmt::format("{}: {}", context, what()), reach_);
  }

 private:
  ExitCode code_;
  Reach reach_;
};

// Throws an Error that blames the user's input: exit code 2.
template <typename... Args>
[[noreturn]] void fail_usage(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ExitCode::kUsage, fmt::format(format, std::forward<Args>(args)...));
}

// Throws an Error that blames Lockstep or the machine: exit code 1.
template <typename... Args>
[[noreturn]] void fail_internal(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ExitCode::kInternal, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace lockstep
