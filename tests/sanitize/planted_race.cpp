// Two workers write one number. The race must be seen in spite of what races.supp
// leaves out.

#include <atomic>
#include <cstdio>
#include <thread>

#include "lockstep/core/workers.h"

int main() {
  int shared = 0;
  std::atomic<int> here{0};
  lockstep::Workers workers(2, [] {});
  workers.run([&](int worker) {
    // Both are here at once; a relaxed count orders nothing.
    here.fetch_add(1, std::memory_order_relaxed);
    while (here.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
    shared += worker + 1;
  });
  std::printf("planted a race: %d\n", shared);
}
