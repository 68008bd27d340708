#include "lockstep/core/environment.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "lockstep/core/error.h"

namespace lockstep {
namespace {

constexpr const char* kVariable = "LOCKSTEP_TEST_SECONDS";

TEST(Environment, SecondsAreNumbersAboveZero) {
  ::unsetenv(kVariable);
  EXPECT_EQ(seconds_from_environment(kVariable, 7), 7);
  ::setenv(kVariable, "0.5", 1);
  EXPECT_EQ(seconds_from_environment(kVariable, 7), 0.5);
  for (const char* text : {"abc", "-1", "nan", "inf", "", "0", "5s", " 5", "1e10"}) {
    ::setenv(kVariable, text, 1);
    EXPECT_THROW(seconds_from_environment(kVariable, 7), Error) << text;
  }
  ::unsetenv(kVariable);
}

}  // namespace
}  // namespace lockstep
