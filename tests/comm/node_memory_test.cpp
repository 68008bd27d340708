// Memory of a node by files in /dev/shm, as processes have it that die.

#include "comm/node_memory.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <string>

namespace lockstep {

namespace {

int files_of(::pid_t process) {
  const std::string begin = "lockstep-" + std::to_string(process) + "-";
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
    if (entry.path().filename().string().rfind(begin, 0) == 0) ++count;
  }
  return count;
}

TEST(NodeMemory, HasAFileWhileItIsNamed) {
  {
    NodeMemory memory(1 << 16, MemoryAccess::kFile);
    EXPECT_EQ(files_of(::getpid()), 0);
    memory.name_file();
    EXPECT_EQ(files_of(::getpid()), 1);
    const std::array addresses{memory.address()};
    const NodeWindow window(addresses, MemoryAccess::kFile);
    EXPECT_EQ(window.part(0).size(), 1U << 16);
  }
  EXPECT_EQ(files_of(::getpid()), 0);
}

TEST(NodeMemory, LeavesNothingWhereItsProcessIsKilledBefore) {
  const ::pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const NodeMemory memory(1 << 16, MemoryAccess::kFile);
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(files_of(child), 0);
}

}  // namespace

}  // namespace lockstep
