#include "serve/connections.h"

#include <sys/socket.h>

#include <algorithm>

namespace lockstep {

namespace {

// How long a connection that was told to end may take before another one is told.
constexpr std::chrono::milliseconds kPatience{20};

}  // namespace

void Connections::open() {
  std::unique_lock lock(mutex_);
  while (count_ >= most_) {
    end_longest_waiting();
    changed_.wait_for(lock, kPatience, [this] { return count_ < most_; });
  }
  ++count_;
}

Connections::Verdict Connections::await_request(int socket) {
  const std::lock_guard lock(mutex_);
  if (ending_) return Verdict::kEnd;
  waiting_since_[socket] = Clock::now();
  return Verdict::kGoOn;
}

void Connections::forget(int socket) {
  const std::lock_guard lock(mutex_);
  waiting_since_.erase(socket);
}

void Connections::closed() {
  {
    const std::lock_guard lock(mutex_);
    --count_;
  }
  changed_.notify_one();
}

void Connections::end_all() {
  const std::lock_guard lock(mutex_);
  ending_ = true;
  for (const auto& [socket, since] : waiting_since_) ::shutdown(socket, SHUT_RD);
  waiting_since_.clear();
}

std::size_t Connections::count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

void Connections::end_longest_waiting() {
  const auto longest =
      std::min_element(waiting_since_.begin(), waiting_since_.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  if (longest == waiting_since_.end()) return;
  ::shutdown(longest->first, SHUT_RD);
  waiting_since_.erase(longest);
}

}  // namespace lockstep
