#include "lockstep/comm/last_words.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

TEST(LastWords, AreSaidOnce) {
  say_last_words("none are prepared");
  int said = 0;
  std::string heard;
  prepare_last_words([&](const std::string& reason) {
    ++said;
    heard = reason;
  });
  say_last_words("a peer died");
  say_last_words("so did another");
  EXPECT_EQ(said, 1);
  EXPECT_EQ(heard, "a peer died");
}

}  // namespace
}  // namespace lockstep
