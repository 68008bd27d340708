// The framing of training rows, against closed forms, on every number of ranks.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "data/samples.h"
#include "lockstep/data/measure_framing.h"
#include "support/rank_test.h"

namespace lockstep {

namespace {

constexpr int kRows = 997;
constexpr ImageShape kShape{9, 11, 1};

using Level = std::function<int(int row, int x, int y)>;

Framing measure(const Level& level) {
  Communicator& comm = test_comm();
  const samples::SharedFolder folder(comm);
  std::string text = "label";
  for (int i = 0; i < kShape.pixels(); ++i) text += fmt::format(",pixel{}", i);
  for (int row = 0; row < kRows; ++row) {
    text += fmt::format("\n{}", row % 7);
    for (int i = 0; i < kShape.pixels(); ++i) {
      text += fmt::format(",{}", level(row, i % kShape.width, i / kShape.width));
    }
  }
  DataOptions options;
  options.train.path = folder.write("rows.csv", text + "\n");
  options.shape = kShape;
  options.classes = 7;
  options.validation.fraction = 0;
  const TrainingData data(comm, options, /*lanes=*/5, /*seed=*/3);
  return measure_framing(comm, data, kShape);
}

int width_of(int row) { return 1 + row % 5; }
int height_of(int row) { return 1 + row / 5 % 7; }
int contrast_of(int row) { return 90 + row % 101; }
bool is_blank(int row) { return row % 97 == 5; }

// Whether a row's rectangle, off the border, covers a pixel.
bool covers(int row, int x, int y) {
  const int left = 1 + row % 3;
  return !is_blank(row) && left <= x && x < left + width_of(row) && 1 <= y &&
         y < 1 + height_of(row);
}

struct Means {
  double contrast = 0;
  double longer_side = 0;
};

Means expected_means() {
  int rows = 0;
  Means sums;
  for (int row = 0; row < kRows; ++row) {
    if (is_blank(row)) continue;
    ++rows;
    sums.contrast += contrast_of(row);
    sums.longer_side += std::max(width_of(row), height_of(row));
  }
  return {sums.contrast / rows, sums.longer_side / rows};
}

TEST(FramingRank, OfLightOnDark) {
  // Single pixels of slightly other levels do not count.
  const Framing framing = measure([](int row, int x, int y) {
    if (covers(row, x, y)) return 12 + contrast_of(row);
    return (row + x + 3 * y) % 10 == 0 ? 0 : 12;
  });
  EXPECT_TRUE(framing.framed);
  EXPECT_EQ(framing.background, 12);
  EXPECT_DOUBLE_EQ(framing.foreground, 12 + expected_means().contrast);
  EXPECT_DOUBLE_EQ(framing.longer_side_pixels, expected_means().longer_side);
}

TEST(FramingRank, OfDarkOnLight) {
  const Framing framing = measure(
      [](int row, int x, int y) { return covers(row, x, y) ? 255 - contrast_of(row) : 255; });
  EXPECT_TRUE(framing.framed);
  EXPECT_EQ(framing.background, 255);
  EXPECT_DOUBLE_EQ(framing.foreground, 255 - expected_means().contrast);
  EXPECT_DOUBLE_EQ(framing.longer_side_pixels, expected_means().longer_side);
}

TEST(FramingRank, SubjectsMayTouchTheBorderHereAndThere) {
  const auto with_stripes = [](int stripes) {
    return measure([=](int row, int x, int) { return row % 10 < stripes || x == 5 ? 200 : 0; });
  };
  // Of the 36 pixels of a border 2 are light, and all in so many rows of 10.
  EXPECT_TRUE(with_stripes(2).framed);
  EXPECT_FALSE(with_stripes(3).framed);
}

TEST(FramingRank, NoneWithoutAUniformBackground) {
  const Framing framing =
      measure([](int row, int x, int y) { return (row * 37 + x * 91 + y * 53) % 256; });
  EXPECT_EQ(framing, Framing());
}

TEST(FramingRank, NoneWithoutSubjects) {
  EXPECT_EQ(measure([](int, int, int) { return 40; }), Framing());
}

TEST(FramingRank, AssumedWhereWeightsDoNotTell) {
  EXPECT_EQ(assumed_framing({28, 28, 1}), (Framing{true, 0, 255, 20}));
  EXPECT_FALSE(assumed_framing({32, 32, 3}).framed);
}

}  // namespace

}  // namespace lockstep
