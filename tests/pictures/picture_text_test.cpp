// Pictures as text, by hand.

#include "lockstep/pictures/picture_text.h"

#include <gtest/gtest.h>

namespace lockstep {

namespace {

using Lines = std::vector<std::string>;

TEST(PictureText, AsciiShadesOfTwoRows) {
  const Picture picture{3, 3, 1, {0, 255, 255, 0, 0, 255, 0, 128, 255}};
  EXPECT_EQ(picture_text(picture, TextStyle::kAscii, 80), (Lines{" =@", " +@"}));
}

TEST(PictureText, HalfBlocksInColour) {
  const Picture picture{2, 3, 3, {1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6, 7, 8, 9, 0, 0, 0}};
  EXPECT_EQ(
      picture_text(picture, TextStyle::kTrueColour, 80),
      (Lines{"\x1b[38;2;1;2;3;48;2;4;5;6m▀▀\x1b[0m", "\x1b[38;2;7;8;9m▀\x1b[38;2;0;0;0m▀\x1b[0m"}));
}

TEST(PictureText, HalfBlocksInThePalette) {
  // Black, white, xterm's grey 244 (of level 128), pure red.
  EXPECT_EQ(picture_text({1, 2, 1, {0, 255}}, TextStyle::kPalette, 80),
            (Lines{"\x1b[38;5;16;48;5;231m▀\x1b[0m"}));
  EXPECT_EQ(picture_text({1, 1, 1, {128}}, TextStyle::kPalette, 80),
            (Lines{"\x1b[38;5;244m▀\x1b[0m"}));
  EXPECT_EQ(picture_text({1, 1, 3, {255, 0, 0}}, TextStyle::kPalette, 80),
            (Lines{"\x1b[38;5;196m▀\x1b[0m"}));
}

TEST(PictureText, FitsTheColumns) {
  const Picture picture{9, 6, 1, std::vector<std::uint8_t>(54, 255)};
  EXPECT_EQ(picture_text(picture, TextStyle::kAscii, 9),
            (Lines{"@@@@@@@@@", "@@@@@@@@@", "@@@@@@@@@"}));
  EXPECT_EQ(picture_text(picture, TextStyle::kAscii, 6), (Lines{"@@@@@@", "@@@@@@"}));
  EXPECT_EQ(picture_text({50, 1, 1, std::vector<std::uint8_t>(50, 0)}, TextStyle::kAscii, 4),
            (Lines{"    "}));
}

}  // namespace

}  // namespace lockstep
