#include "lockstep/pictures/thumbnail.h"

#include <gtest/gtest.h>

#include <numeric>

namespace lockstep {
namespace {

TEST(Thumbnail, OfASmallImageIsTheImage) {
  std::vector<std::uint8_t> pixels(7 * 5);
  std::iota(pixels.begin(), pixels.end(), std::uint8_t{0});
  EXPECT_EQ(make_thumbnail({7, 5, 1}, pixels), (Picture{5, 7, 1, pixels}));
  pixels.resize(3 * 2 * 3);
  EXPECT_EQ(make_thumbnail({3, 2, 3}, pixels), (Picture{2, 3, 3, pixels}));
}

TEST(Thumbnail, ShowsTheFirstOfOtherNumbersOfChannels) {
  EXPECT_EQ(make_thumbnail({1, 3, 2}, std::vector<std::uint8_t>{1, 9, 2, 9, 3, 9}),
            (Picture{3, 1, 1, {1, 2, 3}}));
}

TEST(Thumbnail, AveragesBlocksOfALargeImage) {
  // 129 columns give blocks of 3 by 3, of which the last row of blocks is 2 high.
  std::vector<std::uint8_t> pixels(5 * 129, 0);
  for (int y = 0; y < 3; ++y) pixels[static_cast<std::size_t>(y * 129)] = 90;           // 3 of 9
  for (int x = 126; x < 129; ++x) pixels[static_cast<std::size_t>(3 * 129 + x)] = 255;  // 3 of 6
  const Picture thumbnail = make_thumbnail({5, 129, 1}, pixels);
  EXPECT_EQ(thumbnail.width, 43);
  EXPECT_EQ(thumbnail.height, 2);
  std::vector<std::uint8_t> expected(2 * 43, 0);
  expected.front() = 30;
  expected.back() = 128;  // 127.5
  EXPECT_EQ(thumbnail.pixels, expected);
}

}  // namespace
}  // namespace lockstep
