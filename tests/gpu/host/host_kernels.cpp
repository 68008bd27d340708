#include "gpu/host/host_kernels.h"

#include <setjmp.h>
#include <ucontext.h>

#include <memory>
#include <vector>

namespace lockstep {

HostThread host_thread;
HostThread host_block;
HostThread host_block_size;

namespace {

constexpr std::size_t kStackBytes = std::size_t{1} << 17;

// A thread of a block. It begins on a stack of its own, then jumps: other than contexts,
// jumps need no system call.
struct Fiber {
  ucontext_t begin{};
  std::unique_ptr<char[]> stack{new char[kStackBytes]};
  jmp_buf place;
  enum class State { kNew, kWaiting, kDone } state = State::kNew;
};

std::vector<Fiber> fibers;
Fiber* current = nullptr;
jmp_buf scheduler;
const HostKernel* kernel_of_fibers = nullptr;
const void* arguments_of_fibers = nullptr;

void run_fiber() {
  kernel_of_fibers->run(arguments_of_fibers);
  current->state = Fiber::State::kDone;
  _longjmp(scheduler, 1);
}

// Returns when the fiber waits at a barrier, or is done.
void resume(Fiber& fiber) {
  current = &fiber;
  if (_setjmp(scheduler) != 0) return;
  if (fiber.state == Fiber::State::kWaiting) _longjmp(fiber.place, 1);
  setcontext(&fiber.begin);
}

void run_block_in_turns(unsigned threads) {
  while (fibers.size() < threads) fibers.emplace_back();
  for (unsigned i = 0; i < threads; ++i) {
    Fiber& fiber = fibers[i];
    fiber.state = Fiber::State::kNew;
    getcontext(&fiber.begin);
    fiber.begin.uc_stack.ss_sp = fiber.stack.get();
    fiber.begin.uc_stack.ss_size = kStackBytes;
    makecontext(&fiber.begin, run_fiber, 0);
  }
  for (bool running = true; running;) {
    running = false;
    for (unsigned i = 0; i < threads; ++i) {
      if (fibers[i].state == Fiber::State::kDone) continue;
      host_thread.x = i;
      resume(fibers[i]);
      running = running || fibers[i].state != Fiber::State::kDone;
    }
  }
}

}  // namespace

void host_barrier() {
  current->state = Fiber::State::kWaiting;
  if (_setjmp(current->place) == 0) _longjmp(scheduler, 1);
}

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
