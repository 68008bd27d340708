#include "lockstep/core/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace lockstep {
namespace {

void do_nothing() {}

TEST(Workers, EveryWorkerRunsOnceATurn) {
  for (const int count : {1, 2, 5}) {
    Workers workers(count, do_nothing);
    EXPECT_EQ(workers.count(), count);
    std::vector<int> turns(static_cast<std::size_t>(count), 0);
    for (int turn = 0; turn < 200; ++turn) {
      workers.run([&](int worker) { ++turns[static_cast<std::size_t>(worker)]; });
    }
    EXPECT_EQ(turns, std::vector<int>(static_cast<std::size_t>(count), 200));
  }
}

TEST(Workers, AreThreadsOfTheirOwnExceptTheFirst) {
  Workers workers(3, do_nothing);
  std::vector<std::thread::id> first(3);
  std::vector<std::thread::id> second(3);
  workers.run(
      [&](int worker) { first[static_cast<std::size_t>(worker)] = std::this_thread::get_id(); });
  workers.run(
      [&](int worker) { second[static_cast<std::size_t>(worker)] = std::this_thread::get_id(); });
  EXPECT_EQ(first[0], std::this_thread::get_id());
  EXPECT_EQ(std::set<std::thread::id>(first.begin(), first.end()).size(), 3U);
  EXPECT_EQ(first, second);
}

thread_local int prepared = 0;

TEST(Workers, PrepareRunsOnceOnEachThread) {
  prepared = 0;
  Workers workers(4, [] { ++prepared; });
  std::vector<int> seen(4, -1);
  workers.run([&](int worker) { seen[static_cast<std::size_t>(worker)] = prepared; });
  EXPECT_EQ(seen, std::vector<int>(4, 1));
}

TEST(Workers, RethrowTheLowestWorkersExceptionAfterAllAreDone) {
  Workers workers(4, do_nothing);
  std::atomic<int> done{0};
  try {
    workers.run([&](int worker) {
      if (worker == 1 || worker == 3) throw std::runtime_error(std::to_string(worker));
      ++done;
    });
    FAIL() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "1");
  }
  EXPECT_EQ(done, 2);
}

TEST(Workers, AreUsableAfterAnException) {
  Workers workers(3, do_nothing);
  EXPECT_THROW(workers.run([](int) { throw std::runtime_error("all"); }), std::runtime_error);
  std::atomic<int> done{0};
  EXPECT_NO_THROW(workers.run([&](int) { ++done; }));
  EXPECT_EQ(done, 3);
}

}  // namespace
}  // namespace lockstep
