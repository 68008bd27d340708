// Pictures brought to the training images' shape, against closed forms.

#include "lockstep/pictures/prepare_picture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <numeric>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

using Pixels = std::vector<std::uint8_t>;

constexpr ImageShape kShape{28, 28, 1};
constexpr Framing kDigits{true, 0, 255, 20};
constexpr Framing kDarkOnLight{true, 255, 0, 20};

// A grey picture whose pixel (x, y) is `inside` where `covers` says so.
Picture draw(int width, int height, int inside, int outside,
             const std::function<bool(int, int)>& covers) {
  Picture picture{width, height, 1, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      picture.pixels.push_back(static_cast<std::uint8_t>(covers(x, y) ? inside : outside));
    }
  }
  return picture;
}

// A square of 50 pixels off the middle of 117 x 101.
Picture square(int inside, int outside) {
  return draw(117, 101, inside, outside,
              [](int x, int y) { return 10 <= x && x < 60 && 30 <= y && y < 80; });
}

// An L of `unit` wide lines, 5 high and 3 wide in that unit.
Picture letter(int unit) {
  return draw(11 * unit, 9 * unit, 255, 0, [unit](int x, int y) {
    const int column = x / unit - 1;
    const int row = y / unit - 2;
    return row >= 0 && row < 5 && column >= 0 && column < (row == 4 ? 3 : 1);
  });
}

Pixels with_square(int inside, int outside) {
  return draw(28, 28, inside, outside,
              [](int x, int y) { return 4 <= x && x < 24 && 4 <= y && y < 24; })
      .pixels;
}

double mass(const Pixels& pixels) { return std::accumulate(pixels.begin(), pixels.end(), 0.0); }

TEST(PreparePicture, ScalesAndCentresASquare) {
  EXPECT_EQ(prepare_picture(square(255, 0), kShape, kDigits), with_square(255, 0));
}

TEST(PreparePicture, TakesTheInverseForTheSame) {
  EXPECT_EQ(prepare_picture(square(0, 255), kShape, kDigits), with_square(255, 0));
  EXPECT_EQ(prepare_picture(square(255, 0), kShape, kDarkOnLight), with_square(0, 255));
  EXPECT_EQ(prepare_picture(square(0, 255), kShape, kDarkOnLight), with_square(0, 255));
}

TEST(PreparePicture, StretchesContrastToTheTrainingImages) {
  const Framing pale{true, 30, 180, 20};
  EXPECT_EQ(prepare_picture(square(150, 200), kShape, kDigits), with_square(255, 0));
  EXPECT_EQ(prepare_picture(square(90, 60), kShape, pale), with_square(180, 30));
}

TEST(PreparePicture, PutsTheCentreOfMassInTheMiddle) {
  const Pixels pixels = prepare_picture(letter(13), kShape, kDigits);
  double x_sum = 0;
  double y_sum = 0;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    x_sum += pixels[i] * (static_cast<double>(i % 28) + 0.5);
    y_sum += pixels[i] * (static_cast<double>(i / 28) + 0.5);
  }
  EXPECT_NEAR(x_sum / mass(pixels), 14, 0.1);
  EXPECT_NEAR(y_sum / mass(pixels), 14, 0.1);
  // 7 squares of 4 x 4 pixels.
  EXPECT_NEAR(mass(pixels), 255 * 7 * 16, 255);
}

TEST(PreparePicture, DoesNotDependOnTheSizeOfThePicture) {
  const Pixels expected = prepare_picture(letter(40), kShape, kDigits);
  for (const int unit : {3, 7, 20, 61}) {
    const Pixels pixels = prepare_picture(letter(unit), kShape, kDigits);
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      EXPECT_LE(std::abs(pixels[i] - expected[i]), 1) << "unit " << unit << ", pixel " << i;
    }
  }
}

TEST(PreparePicture, KeepsTheWholeSubjectInside) {
  // A block with a long tail: its centre of mass is near one end.
  const Picture picture = draw(400, 100, 255, 0, [](int x, int y) {
    return (20 <= x && x < 60 && 20 <= y && y < 60) || (60 <= x && x < 380 && 38 <= y && y < 42);
  });
  const double scale = 27.0 / 360;
  const Pixels pixels = prepare_picture(picture, kShape, {true, 0, 255, 27});
  EXPECT_NEAR(mass(pixels), 255 * (40 * 40 + 320 * 4) * scale * scale, 10);
}

TEST(PreparePicture, LetsThinLinesStand) {
  const Picture cross = draw(1000, 1000, 0, 255, [](int x, int y) {
    return (std::abs(x - 500) <= 1 && y > 90 && y < 910) ||
           (std::abs(y - 500) <= 1 && x > 90 && x < 910);
  });
  const Pixels pixels = prepare_picture(cross, kShape, kDigits);
  EXPECT_EQ(*std::max_element(pixels.begin(), pixels.end()), 255);
  EXPECT_GE(pixels[8 * 28 + 13] + pixels[8 * 28 + 14], 120);  // an arm, half of the crossing
}

TEST(PreparePicture, TakesAPictureOfTheShapeAsItIs) {
  Picture picture = draw(28, 28, 0, 0, [](int, int) { return false; });
  for (std::size_t i = 150; i < 500; ++i) {
    if (i % 28 > 2 && i % 28 < 20) picture.pixels[i] = static_cast<std::uint8_t>(i * i % 251);
  }
  EXPECT_EQ(prepare_picture(picture, kShape, kDigits), picture.pixels);
  Picture inverse = picture;
  for (std::uint8_t& level : inverse.pixels) level = static_cast<std::uint8_t>(255 - level);
  EXPECT_EQ(prepare_picture(inverse, kShape, kDigits), picture.pixels);
}

TEST(PreparePicture, RefusesABlankPicture) {
  for (const Picture& picture :
       {draw(1, 1, 0, 0, [](int, int) { return true; }), square(200, 200), square(200, 185)}) {
    try {
      prepare_picture(picture, kShape, kDigits);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
    }
  }
  EXPECT_EQ(prepare_picture(square(200, 184), kShape, kDigits), with_square(255, 0));
}

TEST(PreparePicture, FitsExtremeShapes) {
  for (const auto& [width, height] : {std::pair(20000, 3), std::pair(3, 20000), std::pair(2, 2)}) {
    const Picture picture = draw(width, height, 255, 0,
                                 [&](int x, int y) { return x == width / 2 || y == height / 2; });
    const Pixels pixels = prepare_picture(picture, kShape, kDigits);
    EXPECT_EQ(*std::max_element(pixels.begin(), pixels.end()), 255);
  }
}

TEST(PreparePicture, OnlyResizesWhatIsNotFramed) {
  const Picture picture{4, 2, 1, {10, 20, 30, 40, 50, 60, 70, 80}};
  const Framing none;
  EXPECT_EQ(prepare_picture(picture, {1, 2, 1}, none), (Pixels{35, 55}));
  EXPECT_EQ(prepare_picture(picture, {2, 4, 1}, none), picture.pixels);
  EXPECT_EQ(prepare_picture(picture, {4, 2, 1}, none), (Pixels{15, 35, 15, 35, 55, 75, 55, 75}));
  // Thirds: (10 + 20 / 3) / (4 / 3) and so on.
  EXPECT_EQ(prepare_picture(picture, {1, 3, 1}, none), (Pixels{33, 45, 58}));
}

TEST(PreparePicture, ResizesEachChannel) {
  const Picture picture{2, 2, 3, {0, 100, 200, 2, 102, 202, 4, 104, 204, 6, 106, 206}};
  EXPECT_EQ(prepare_picture(picture, {1, 1, 3}, {}), (Pixels{3, 103, 203}));
  EXPECT_EQ(prepare_picture({1, 1, 3, {7, 8, 9}}, {1, 2, 3}, {}), (Pixels{7, 8, 9, 7, 8, 9}));
}

}  // namespace

}  // namespace lockstep
