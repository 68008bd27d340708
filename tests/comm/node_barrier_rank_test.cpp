#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "lockstep/comm/communicator.h"
#include "lockstep/comm/node_barrier.h"
#include "support/rank_test.h"

namespace lockstep {
namespace {

struct Shared {
  NodeBarrier barrier;
  std::uint32_t counters[64];  // by thread; plain, so only the barrier orders them
};

// Threads of all ranks raise their own counter, meet, and must see everybody's.
TEST(NodeBarrier, OrdersWritesOfAllThreadsOfAllRanks) {
  Communicator& comm = test_comm();
  constexpr int kThreads = 3;
  constexpr std::uint32_t kRounds = 300;
  const auto all = static_cast<std::uint32_t>(kThreads * comm.node_size());
  ASSERT_LE(all, 64U);
  const auto window = comm.share(comm.node_place() == 0 ? sizeof(Shared) : 0);
  auto* shared = reinterpret_cast<Shared*>(window->part(0).data());

  std::vector<int> wrong(kThreads, 0);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      const int mine = comm.node_place() * kThreads + thread;
      for (std::uint32_t round = 1; round <= kRounds; ++round) {
        shared->counters[mine] = round;
        shared->barrier.arrive_and_wait(all);
        for (std::uint32_t other = 0; other < all; ++other) {
          if (shared->counters[other] != round) ++wrong[static_cast<std::size_t>(thread)];
        }
        shared->barrier.arrive_and_wait(all);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(kThreads, 0));
  comm.barrier();
}

// Long waits end in the kernel: the last thread comes late.
TEST(NodeBarrier, WakesSleepers) {
  Communicator& comm = test_comm();
  const auto window = comm.share(comm.node_place() == 0 ? sizeof(Shared) : 0);
  auto* shared = reinterpret_cast<Shared*>(window->part(0).data());
  const auto all = static_cast<std::uint32_t>(comm.node_size() + 1);
  const bool last = comm.node_place() == comm.node_size() - 1;
  for (std::uint32_t round = 1; round <= 5; ++round) {
    std::thread late;
    if (last) {
      late = std::thread([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        shared->counters[0] = round;
        shared->barrier.arrive_and_wait(all);
      });
    }
    shared->barrier.arrive_and_wait(all);
    EXPECT_EQ(shared->counters[0], round);
    if (last) late.join();
    comm.barrier();
  }
}

TEST(NodeBarrier, OfOneThreadDoesNotWait) {
  NodeBarrier barrier{};
  for (int i = 0; i < 3; ++i) barrier.arrive_and_wait(1);
  SUCCEED();
}

}  // namespace
}  // namespace lockstep
