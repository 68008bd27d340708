// A barrier for the worker threads of all ranks of one node, in shared memory.
// Threads spin for a short while, then sleep in the kernel, so it is quick when
// every thread has its core and harmless when they share one.
#pragma once

#include <atomic>
#include <cstdint>

namespace lockstep {

// Lives in zeroed shared memory; trivially constructible by zeroing.
class NodeBarrier {
 public:
  // Returns when `threads` threads have called it with the same number. Everything
  // written before by any of them is visible after.
  void arrive_and_wait(std::uint32_t threads);

 private:
  std::atomic<std::uint32_t> arrived_;
  std::atomic<std::uint32_t> phase_;
};

}  // namespace lockstep
