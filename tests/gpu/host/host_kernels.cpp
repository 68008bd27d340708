#include "gpu/host/host_kernels.h"

#include <setjmp.h>
#include <ucontext.h>

#include <cstdlib>
#include <memory>
#include <vector>

namespace lockstep {

HostThread host_thread;
HostThread host_block;
HostThread host_block_size;

namespace {

constexpr std::size_t kStackBytes = std::size_t{1} << 17;

// A thread of one block after the other. It begins once, on a stack of its own, then jumps:
// other than contexts, jumps need no system call.
struct Fiber {
  std::unique_ptr<char[]> stack{new char[kStackBytes]};
  jmp_buf place;
  bool has_begun = false;
  bool is_done = false;  // with its block
};

std::vector<Fiber> fibers;
Fiber* current = nullptr;
jmp_buf scheduler;
const HostKernel* kernel_of_fibers = nullptr;
const void* arguments_of_fibers = nullptr;

// Back to resume(), until the next one.
void yield() {
  if (_setjmp(current->place) == 0) _longjmp(scheduler, 1);
}

void run_fiber() {
  while (true) {
    kernel_of_fibers->run(arguments_of_fibers);
    current->is_done = true;
    yield();
  }
}

[[noreturn]] void begin(Fiber& fiber) {
  fiber.has_begun = true;
  ucontext_t context{};
  getcontext(&context);
  context.uc_stack.ss_sp = fiber.stack.get();
  context.uc_stack.ss_size = kStackBytes;
  makecontext(&context, run_fiber, 0);
  setcontext(&context);
  std::abort();
}

// Returns when the fiber waits at a barrier, or is done.
void resume(Fiber& fiber) {
  current = &fiber;
  if (_setjmp(scheduler) != 0) return;
  if (fiber.has_begun) _longjmp(fiber.place, 1);
  begin(fiber);
}

void run_block_in_turns(unsigned threads) {
  while (fibers.size() < threads) fibers.emplace_back();
  for (unsigned i = 0; i < threads; ++i) fibers[i].is_done = false;
  for (bool running = true; running;) {
    running = false;
    for (unsigned i = 0; i < threads; ++i) {
      if (fibers[i].is_done) continue;
      host_thread.x = i;
      resume(fibers[i]);
      running = running || !fibers[i].is_done;
    }
  }
}

}  // namespace

void host_barrier() { yield(); }

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
