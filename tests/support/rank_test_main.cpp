// main() of the rank tests. Every rank runs every test; after each one the ranks
// gather their failures, rank 0 prints those of the others, and all agree on the
// result, so that a failure on one rank fails the program without a hang.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>

#include "support/rank_test.h"

namespace lockstep {

namespace {

std::unique_ptr<Communicator>& world() {
  static std::unique_ptr<Communicator> comm;
  return comm;
}

class GatherFailures : public testing::EmptyTestEventListener {
 public:
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    failures_ += fmt::format("{}:{}: {}\n", result.file_name() ? result.file_name() : "?",
                             result.line_number(), result.message());
  }

  void OnTestEnd(const testing::TestInfo& info) override {
    const auto all = gather_texts(*world(), failures_);
    failures_.clear();
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
      if (all[rank].empty()) continue;
      any_ = true;
      if (world()->rank() == 0) {
        std::printf("%s.%s failed on rank %zu:\n%s", info.test_suite_name(), info.name(), rank,
                    all[rank].c_str());
      }
    }
  }

  bool any() const { return any_; }

 private:
  std::string failures_;
  bool any_ = false;
};

}  // namespace

Communicator& test_comm() { return *world(); }

}  // namespace lockstep

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  lockstep::world() = lockstep::connect();
  auto* gather = new lockstep::GatherFailures;  // owned by GoogleTest
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  listeners.Append(gather);
  if (lockstep::world()->rank() != 0) delete listeners.Release(listeners.default_result_printer());
  const int status = RUN_ALL_TESTS();
  const bool failed = gather->any() || status != 0;
  lockstep::world().reset();
  return failed ? 1 : 0;
}
