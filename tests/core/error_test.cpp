#include "lockstep/core/error.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

TEST(Error, WithinAddsContextAndKeepsTheRest) {
  const Error inner(ExitCode::kPeer, "cut", Reach::kAgreed);
  const Error outer = inner.within("file").within("rank 3");
  EXPECT_STREQ(outer.what(), "rank 3: file: cut");
  EXPECT_EQ(outer.code(), ExitCode::kPeer);
  EXPECT_EQ(outer.reach(), Reach::kAgreed);
}

TEST(Error, FailuresBlameTheRightOne) {
  try {
    fail_usage("{} rows, at least {}", 3, 4);
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "3 rows, at least 4");
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_EQ(error.reach(), Reach::kLocal);
  }
  try {
    fail_internal("{{}} of {}", "x");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "{} of x");
    EXPECT_EQ(error.code(), ExitCode::kInternal);
  }
}

}  // namespace
}  // namespace lockstep
