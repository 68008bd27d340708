#include "lockstep/core/free_memory.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

namespace lockstep {
namespace {

namespace fs = std::filesystem;

class FreeMemory : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "lockstep-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    write("proc/meminfo", "MemTotal:  9000 kB\nMemAvailable:    8000 kB\nBuffers: 1 kB\n");
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& content) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << content;
  }

  fs::path root_;
};

TEST_F(FreeMemory, WithoutGroupsItIsTheHosts) {
  EXPECT_EQ(free_memory(root_), 8000u * 1024);
  write("proc/self/cgroup", "");
  EXPECT_EQ(free_memory(root_), 8000u * 1024);
  write("proc/meminfo", "MemTotal: 9000 kB\n");
  EXPECT_EQ(free_memory(root_), 0u);
}

TEST_F(FreeMemory, ALimitAboveItsGroupCounts) {
  write("proc/self/cgroup", "0::/job/step\n");
  const auto group = [&](const std::string& path, const std::string& limit) {
    const std::string folder = "sys/fs/cgroup/" + path;
    write(folder + "memory.max", limit + "\n");
    write(folder + "memory.current", "300000\n");
    write(folder + "memory.stat",
          "anon 90000\nfile 200000\ninactive_file 150000\nactive_file 40000\n");
  };
  group("job/step/", "max");
  EXPECT_EQ(free_memory(root_), 8000u * 1024);
  group("job/", "1000000");
  EXPECT_EQ(free_memory(root_), 1'000'000u - 110'000);
  group("job/step/", "500000");
  EXPECT_EQ(free_memory(root_), 500'000u - 110'000);
  group("job/step/", "100000");
  EXPECT_EQ(free_memory(root_), 0u);
}

TEST_F(FreeMemory, TheFirstVersionsLimitsCountToo) {
  write("proc/self/cgroup", "5:cpu:/job\n4:blkio,memory:/job\n0::/\n");
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "2000000\n");
  write("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "700000\n");
  write("sys/fs/cgroup/memory/job/memory.stat",
        "inactive_file 9\ntotal_inactive_file 100000\ntotal_active_file 200000\n");
  EXPECT_EQ(free_memory(root_), 1'600'000u);
  // A container's own group stands at the top.
  fs::rename(root_ / "sys/fs/cgroup/memory/job", root_ / "sys/fs/cgroup/elsewhere");
  fs::remove_all(root_ / "sys/fs/cgroup/memory");
  fs::rename(root_ / "sys/fs/cgroup/elsewhere", root_ / "sys/fs/cgroup/memory");
  EXPECT_EQ(free_memory(root_), 1'600'000u);
}

}  // namespace
}  // namespace lockstep
