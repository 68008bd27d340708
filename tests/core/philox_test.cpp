#include "lockstep/core/philox.h"

#include <gtest/gtest.h>

#include <set>

namespace lockstep {
namespace {

// The vectors that Random123 publishes in tests/kat_vectors for philox4x32-10.
TEST(Philox, GivesThePublishedVectors) {
  EXPECT_EQ(philox({0, 0}, {0, 0, 0, 0}),
            (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0U, ~0U}, {~0U, ~0U, ~0U, ~0U}),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0xa4093822, 0x299f31d0}, {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, KeysDifferByPurposeAndSeed) {
  std::set<PhiloxKey> keys;
  for (const std::uint64_t seed : {0ULL, 1ULL, 2ULL, ~0ULL}) {
    for (std::uint32_t purpose = 1; purpose <= 6; ++purpose) {
      keys.insert(philox_key(seed, static_cast<Purpose>(purpose)));
    }
  }
  EXPECT_EQ(keys.size(), 24U);
}

TEST(Philox, UnitIntervalIsExactAtItsEnds) {
  EXPECT_EQ(unit_interval(0), 0.0F);
  EXPECT_EQ(unit_interval(0xFF), 0.0F);
  EXPECT_EQ(unit_interval(0x100), 0x1.0p-24F);
  EXPECT_EQ(unit_interval(0x80000000U), 0.5F);
  EXPECT_EQ(unit_interval(~0U), 1.0F - 0x1.0p-24F);
}

}  // namespace
}  // namespace lockstep
