#include "lockstep/core/fault_point.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr const char* kVariable = "LOCKSTEP_HOLD";

struct Hold {
  std::string point;
  std::optional<std::int64_t> number;  // none: any
  std::string pipe;
};

// Those of this rank that are still to come.
std::vector<Hold> holds;
std::mutex mutex;

std::int64_t number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && rest == text.data() + text.size()) return number;
  fail_usage("{}: \"{}\" is not a number; expected POINT:NUMBER:RANK:PIPE", kVariable, text);
}

// Takes what stands before the next separator off the front of the text.
std::string_view take(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

// The pipe of the first that names the point, which then is past.
std::optional<std::string> take_hold(std::string_view point, std::int64_t number) {
  std::lock_guard lock(mutex);
  for (auto each = holds.begin(); each != holds.end(); ++each) {
    if (each->point != point || each->number.value_or(number) != number) continue;
    std::string pipe = each->pipe;
    holds.erase(each);
    return pipe;
  }
  return std::nullopt;
}

// Opening the pipe waits for the test to read.
void tell(const std::string& pipe) {
  int file = -1;
  do {
    file = ::open(pipe.c_str(), O_WRONLY | O_CLOEXEC);
  } while (file < 0 && errno == EINTR);
  const std::string line = fmt::format("{}\n", ::getpid());
  if (file < 0 || ::write(file, line.data(), line.size()) < 0) {
    fail_usage("{}: {}: cannot be written", kVariable, pipe);
  }
  ::close(file);
}

}  // namespace

void arm_fault_points(int rank) {
  const char* variable = std::getenv(kVariable);
  std::string_view text = variable == nullptr ? "" : variable;
  while (!text.empty()) {
    std::string_view word = take(text, ',');
    const std::string point(take(word, ':'));
    const std::string_view number = take(word, ':');
    const std::int64_t of_rank = number_of(take(word, ':'));
    if (word.empty()) fail_usage("{}: no pipe; expected POINT:NUMBER:RANK:PIPE", kVariable);
    if (of_rank != rank) continue;
    holds.push_back({point, number == "*" ? std::nullopt : std::optional(number_of(number)),
                     std::string(word)});
  }
}

void fault_point(std::string_view point, std::int64_t number) {
  static const bool armed = std::getenv(kVariable) != nullptr;
  if (!armed) return;
  const std::optional<std::string> pipe = take_hold(point, number);
  if (!pipe) return;
  tell(*pipe);
  ::raise(SIGSTOP);
}

}  // namespace lockstep
