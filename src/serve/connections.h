// The connections that are open, so that they stay within a number. Any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>

namespace lockstep {

class Connections {
 public:
  explicit Connections(std::size_t most) : most_(most) {}

  // Counts one more, when there is a place. Without one, the connection whose request
  // began, or was to begin, longest ago is told to end: it can still write its answer
  // but not read on.
  void open();

  // `socket` waits for its next request from now on, in place of an earlier one. False
  // when it shall rather end.
  enum class Verdict { kGoOn, kEnd };
  Verdict await_request(int socket);

  // `socket` is about to be closed; then that it was.
  void forget(int socket);
  void closed();

  // Tells all to end, those to come as well.
  void end_all();

  std::size_t count() const;

 private:
  using Clock = std::chrono::steady_clock;

  void end_longest_waiting();

  const std::size_t most_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t count_ = 0;
  std::map<int, Clock::time_point> waiting_since_;  // by socket; those not told to end
  bool ending_ = false;
};

}  // namespace lockstep
