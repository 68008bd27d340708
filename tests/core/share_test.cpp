#include "lockstep/core/share.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

TEST(Share, PartsAreContiguousAndAlmostEqual) {
  for (std::int64_t total = 0; total <= 40; ++total) {
    for (std::int64_t parts = 1; parts <= 12; ++parts) {
      std::int64_t next = 0;
      for (std::int64_t part = 0; part < parts; ++part) {
        const Range range = share_of(total, parts, part);
        EXPECT_EQ(range.first, next);
        EXPECT_GE(range.size(), total / parts);
        EXPECT_LE(range.size(), (total + parts - 1) / parts);
        next = range.last;
      }
      EXPECT_EQ(next, total);
    }
  }
}

TEST(Share, PartOfFindsTheHolder) {
  for (std::int64_t total = 1; total <= 60; ++total) {
    for (std::int64_t parts = 1; parts <= 70; ++parts) {
      for (std::int64_t item = 0; item < total; ++item) {
        const std::int64_t part = part_of(total, parts, item);
        ASSERT_TRUE(share_of(total, parts, part).contains(item))
            << item << " of " << total << " in " << parts;
      }
    }
  }
}

TEST(Share, RowCountsOfLargeFilesDoNotOverflow) {
  const std::int64_t rows = 1'000'000'000'000;
  EXPECT_EQ(share_of(rows, 1000, 999), (Range{999'000'000'000, rows}));
  EXPECT_EQ(part_of(rows, 1000, rows - 1), 999);
}

TEST(Share, RangeContainsItsFirstAndNotItsEnd) {
  const Range range{3, 7};
  EXPECT_EQ(range.size(), 4);
  EXPECT_FALSE(range.contains(2));
  EXPECT_TRUE(range.contains(3));
  EXPECT_TRUE(range.contains(6));
  EXPECT_FALSE(range.contains(7));
}

}  // namespace
}  // namespace lockstep
