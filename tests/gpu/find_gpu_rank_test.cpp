// Which rank takes which GPU, with GPUs that are made up.

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdlib>

#include "gpu/host/host_accelerator.h"
#include "lockstep/core/error.h"
#include "lockstep/gpu/find_gpu.h"
#include "support/rank_test.h"

namespace lockstep {
namespace {

// The GPUs that each rank sees.
int gpus_seen = 0;
std::string prefix;  // of their identities
int opened = -1;

const GpuPlugin kPlugin = {
    .count =
        [](std::string& reason) {
          if (gpus_seen == 0) reason = "the last one was sold";
          return gpus_seen;
        },
    .identity = [](int index) { return prefix + std::to_string(index); },
    .open =
        [](int index) {
          opened = index;
          return make_host_accelerator().release();
        },
};

std::string refusal(Communicator& comm) {
  try {
    find_gpu(comm, &kPlugin, "");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_EQ(error.reach(), Reach::kAgreed);
    return error.what();
  }
  return "";
}

class FindGpu : public testing::Test {
 protected:
  FindGpu() : shared_(std::getenv("LOCKSTEP_SHARE_GPU") != nullptr) {
    unsetenv("LOCKSTEP_SHARE_GPU");
  }
  ~FindGpu() override {
    if (shared_) setenv("LOCKSTEP_SHARE_GPU", "1", 1);
  }

 private:
  bool shared_;  // as tests of one real GPU are
};

TEST_F(FindGpu, RankTakesTheGpuOfItsPlace) {
  gpus_seen = 4;
  prefix = "GPU-";
  EXPECT_NE(find_gpu(test_comm(), &kPlugin, "").gpu, nullptr);
  EXPECT_EQ(opened, test_comm().node_place());
}

TEST_F(FindGpu, RankThatIsShownOneGpuTakesThat) {
  gpus_seen = 1;
  prefix = "GPU-" + std::to_string(test_comm().rank()) + "-";
  EXPECT_NE(find_gpu(test_comm(), &kPlugin, "").gpu, nullptr);
  EXPECT_EQ(opened, 0);
}

TEST_F(FindGpu, TwoRanksOnOneGpuAreRefused) {
  if (test_comm().world_size() == 1) GTEST_SKIP() << "needs two ranks";
  gpus_seen = 1;
  prefix = "GPU-";
  const std::string text = refusal(test_comm());
  EXPECT_NE(text.find("ranks 0 and 1 on "), std::string::npos) << text;
  EXPECT_NE(text.find("would share one GPU (GPU-0)"), std::string::npos) << text;
  setenv("LOCKSTEP_SHARE_GPU", "1", 1);
  EXPECT_EQ(refusal(test_comm()), "");
  unsetenv("LOCKSTEP_SHARE_GPU");
}

TEST_F(FindGpu, OneRankWithoutKeepsAllFromTheGpu) {
  const int last = test_comm().world_size() - 1;
  gpus_seen = test_comm().rank() == last ? 0 : 4;
  prefix = "GPU-";
  const FoundGpu found = find_gpu(test_comm(), &kPlugin, "");
  EXPECT_EQ(found.gpu, nullptr);
  EXPECT_EQ(found.reason, last == 0 ? "the last one was sold"
                                    : fmt::format("rank {}: the last one was sold", last));
}

TEST_F(FindGpu, WithoutAPluginItsReasonStands) {
  const FoundGpu found = find_gpu(test_comm(), nullptr, "no driver");
  EXPECT_EQ(found.gpu, nullptr);
  EXPECT_EQ(found.reason, "no driver");
}

}  // namespace
}  // namespace lockstep
