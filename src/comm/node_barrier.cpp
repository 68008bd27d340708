#include "lockstep/comm/node_barrier.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

namespace lockstep {

namespace {

// How often to look, and then to give up the core, before sleeping. A step of a
// small network lasts some milliseconds, its barriers some microseconds.
constexpr int kSpins = 4000;
constexpr int kYields = 50;

// Without FUTEX_PRIVATE_FLAG: the waiters are in several processes.
void sleep_while_equal(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  ::syscall(SYS_futex, &word, FUTEX_WAIT, value, nullptr, nullptr, 0);
}

void wake_all(std::atomic<std::uint32_t>& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void wait_for_change(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (word.load(std::memory_order_acquire) != value) return;
    __builtin_ia32_pause();
  }
  for (int yield = 0; yield < kYields; ++yield) {
    if (word.load(std::memory_order_acquire) != value) return;
    ::sched_yield();
  }
  while (word.load(std::memory_order_acquire) == value) sleep_while_equal(word, value);
}

}  // namespace

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

void NodeBarrier::arrive_and_wait(std::uint32_t threads) {
  const std::uint32_t phase = phase_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.fetch_add(1, std::memory_order_release);
    wake_all(phase_);
    return;
  }
  wait_for_change(phase_, phase);
}

}  // namespace lockstep
