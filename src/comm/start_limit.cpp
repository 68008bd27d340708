#include "comm/start_limit.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lockstep/comm/last_words.h"
#include "lockstep/core/error.h"
#include "lockstep/core/host.h"

namespace lockstep {

namespace {

constexpr double kSecondsToEnd = 3;  // mpirun ends the others meanwhile

// As the one who started it says; MPI is not up yet.
bool is_first_rank() {
  for (const char* variable : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK"}) {
    if (const char* rank = std::getenv(variable)) return std::string_view(rank) == "0";
  }
  return true;
}

constexpr const char* kCauses =
    "one is stopped, or TCP does not pass between their hosts (a firewall, another network)";

}  // namespace

StartLimit::StartLimit() : thread_([this, limits = wait_limits()] { watch(limits); }) {}

StartLimit::~StartLimit() {
  {
    const std::lock_guard lock(mutex_);
    found_ = true;
  }
  found_changed_.notify_all();
  thread_.join();
}

bool StartLimit::ends_within(double seconds) {
  std::unique_lock lock(mutex_);
  return found_changed_.wait_for(lock, std::chrono::duration<double>(seconds),
                                 [this] { return found_; });
}

// The first rank speaks for all, unless it is the one that is stopped.
void StartLimit::watch(WaitLimits limits) {
  const bool is_first = is_first_rank();
  if (ends_within(limits.hard)) return;
  if (is_first) {
    fmt::print(stderr, "lockstep: waiting for {:.0f} s for the ranks to find each other: {}\n",
               limits.hard, kCauses);
    std::fflush(stderr);
  }
  if (ends_within(limits.long_work - limits.hard + (is_first ? 0 : kSecondsToEnd))) return;
  const std::string message =
      fmt::format("waited {:.0f} s on {} for the ranks to find each other: {}", limits.long_work,
                  host_name(), kCauses);
  fmt::print(stderr, "lockstep: {}\n", message);
  std::fflush(nullptr);
  say_last_words(message);
  std::_Exit(static_cast<int>(ExitCode::kPeer));
}

}  // namespace lockstep
