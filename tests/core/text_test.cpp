#include "lockstep/core/text.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace lockstep {
namespace {

TEST(CountOf, HasThePluralOfAllButOne) {
  EXPECT_EQ(count_of(0, "row"), "0 rows");
  EXPECT_EQ(count_of(1, "row"), "1 row");
  EXPECT_EQ(count_of(std::size_t{2}, "row"), "2 rows");
  EXPECT_EQ(count_of(std::int64_t{-1}, "row"), "-1 rows");
  EXPECT_EQ(count_of(1, "class", "classes"), "1 class");
  EXPECT_EQ(count_of(3, "class", "classes"), "3 classes");
}

}  // namespace
}  // namespace lockstep
