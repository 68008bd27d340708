#include "gpu/host/host_kernels.h"

#include <ucontext.h>

#include <functional>
#include <memory>
#include <vector>

namespace lockstep {

HostThread host_thread;
HostThread host_block;
HostThread host_block_size;

namespace {

constexpr std::size_t kStackBytes = std::size_t{1} << 17;

// A thread of a block, as a context of its own.
struct Fiber {
  ucontext_t context{};
  std::unique_ptr<char[]> stack{new char[kStackBytes]};
  bool done = false;
};

ucontext_t scheduler;
std::vector<Fiber> fibers;
Fiber* current = nullptr;
const HostKernel* kernel_of_fibers = nullptr;
const void* arguments_of_fibers = nullptr;

void run_fiber() {
  kernel_of_fibers->run(arguments_of_fibers);
  current->done = true;
}

void run_block_in_turns(unsigned threads) {
  while (fibers.size() < threads) fibers.emplace_back();
  for (unsigned i = 0; i < threads; ++i) {
    Fiber& fiber = fibers[i];
    fiber.done = false;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStackBytes;
    fiber.context.uc_link = &scheduler;
    makecontext(&fiber.context, run_fiber, 0);
  }
  for (bool running = true; running;) {
    running = false;
    for (unsigned i = 0; i < threads; ++i) {
      if (fibers[i].done) continue;
      current = &fibers[i];
      host_thread.x = i;
      swapcontext(&scheduler, &fibers[i].context);
      running = running || !fibers[i].done;
    }
  }
}

}  // namespace

void host_barrier() { swapcontext(&current->context, &scheduler); }

void run_on_host(const HostKernel& kernel, const Grid& grid, const void* arguments) {
  host_block_size.x = grid.threads;
  kernel_of_fibers = &kernel;
  arguments_of_fibers = arguments;
  for (host_block.y = 0; host_block.y < grid.blocks_y; ++host_block.y) {
    for (host_block.x = 0; host_block.x < grid.blocks_x; ++host_block.x) {
      if (kernel.barriers == Barriers::kSome) {
        run_block_in_turns(grid.threads);
        continue;
      }
      for (unsigned i = 0; i < grid.threads; ++i) {
        host_thread.x = i;
        kernel.run(arguments);
      }
    }
  }
}

}  // namespace lockstep
