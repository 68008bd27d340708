// Faults that ranks meet while they wait for each other by other means than MPI.

#include <gtest/gtest.h>

#include <functional>

#include "lockstep/comm/communicator.h"
#include "lockstep/core/error.h"
#include "support/rank_test.h"

namespace lockstep {
namespace {

// What the ranks agree on when each of them does `work` and waits for the others.
Error common_fault(Communicator& comm, const std::function<void()>& work) {
  try {
    work();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < deadline) comm.look_for_fault();
  } catch (const Error& error) {
    return comm.agree_on_fault(error);
  }
  return {ExitCode::kDone, "nobody heard of a fault"};
}

TEST(Fault, OfAnyRankReachesAllThatLook) {
  Communicator& comm = test_comm();
  for (int failing = 0; failing < comm.world_size(); ++failing) {
    const Error fault = common_fault(comm, [&] {
      if (comm.rank() == failing) fail_usage("rank {} fell", failing);
    });
    EXPECT_EQ(fault.code(), ExitCode::kUsage);
    EXPECT_EQ(fault.what(), fmt::format("rank {} fell", failing));
    EXPECT_EQ(fault.reach(), Reach::kAgreed);
    EXPECT_NO_THROW(comm.look_for_fault()) << "an old fault is heard again";
    comm.barrier();  // before the next one
  }
}

TEST(Fault, OfTheLowestRankIsThatOfAll) {
  Communicator& comm = test_comm();
  const Error fault = common_fault(comm, [&] { fail_internal("rank {} fell", comm.rank()); });
  EXPECT_STREQ(fault.what(), "rank 0 fell");
  EXPECT_NO_THROW(comm.look_for_fault());
  comm.barrier();
}

// What a fault brings about at its peers is not the news.
TEST(Fault, CauseIsPreferredToItsConsequences) {
  Communicator& comm = test_comm();
  const int cause = comm.world_size() - 1;
  const Error fault = common_fault(comm, [&] {
    if (comm.rank() == cause) fail_internal("rank {} fell", cause);
    throw Error(ExitCode::kPeer, "the link is gone");
  });
  EXPECT_EQ(fault.code(), ExitCode::kInternal);
  EXPECT_EQ(fault.what(), fmt::format("rank {} fell", cause));
}

// One that is stuck elsewhere is not waited for: each of the others ends the job itself.
// The last test of faults: the ranks cannot agree on another one after it.
TEST(Fault, RankThatDoesNotComeIsNotWaitedFor) {
  Communicator& comm = test_comm();
  if (comm.world_size() == 1) return;
  const std::unique_ptr<Communicator> self = connect_self();
  const bool stuck = comm.rank() == comm.world_size() - 1;
  const Error mine(ExitCode::kInternal, fmt::format("rank {} fell", comm.rank()));
  const Error fault = (stuck ? *self : comm).agree_on_fault(mine);
  EXPECT_STREQ(fault.what(), mine.what());
  EXPECT_EQ(fault.reach(), Reach::kLocal);
}

TEST(Fault, OfAWorldOfOneIsItsOwn) {
  const std::unique_ptr<Communicator> self = connect_self();
  EXPECT_NO_THROW(self->look_for_fault());
  const Error fault = self->agree_on_fault(Error(ExitCode::kUsage, "it fell"));
  EXPECT_STREQ(fault.what(), "it fell");
  EXPECT_EQ(fault.reach(), Reach::kLocal);
}

}  // namespace
}  // namespace lockstep
