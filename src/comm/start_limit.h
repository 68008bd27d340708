// Until the ranks have found each other nobody watches them: one that is stopped, or a firewall
// between hosts, would keep the others waiting for ever.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "comm/wait_limits.h"

namespace lockstep {

// While it lives, ends the job with exit code 4 and a line after the limit of long work; after the
// hard limit a line is printed.
class StartLimit {
 public:
  StartLimit();
  ~StartLimit();
  StartLimit(const StartLimit&) = delete;
  StartLimit& operator=(const StartLimit&) = delete;

 private:
  void watch(WaitLimits limits);
  bool ends_within(double seconds);

  std::mutex mutex_;
  std::condition_variable found_changed_;
  bool found_ = false;
  std::thread thread_;
};

}  // namespace lockstep
