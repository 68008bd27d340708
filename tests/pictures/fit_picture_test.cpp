// Pictures brought to a shape, against closed forms.

#include "lockstep/pictures/fit_picture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "lockstep/core/error.h"
#include "pictures/fit.h"

namespace lockstep {

namespace {

using Pixels = std::vector<std::uint8_t>;
using Sides = std::vector<std::pair<int, int>>;

constexpr PictureFitOptions kStretchByArea;
constexpr PictureFitOptions kStretchBilinear{Fit::kStretch, Resampling::kBilinear, 255};

constexpr Fit kFits[] = {Fit::kStretch, Fit::kFit, Fit::kCrop};
constexpr Resampling kResamplings[] = {Resampling::kArea, Resampling::kBilinear};

// Some levels without a pattern.
Picture speckled(int width, int height, int channels) {
  Picture picture{width, height, channels, {}};
  std::uint32_t state = 12345;
  for (int i = 0; i < width * height * channels; ++i) {
    state = state * 1664525U + 1013904223U;
    picture.pixels.push_back(static_cast<std::uint8_t>(state >> 24));
  }
  return picture;
}

Picture transposed(const Picture& picture) {
  Picture result{picture.height, picture.width, picture.channels, {}};
  for (int y = 0; y < result.height; ++y) {
    for (int x = 0; x < result.width; ++x) {
      for (int c = 0; c < result.channels; ++c) {
        result.pixels.push_back(
            picture
                .pixels[static_cast<std::size_t>((x * picture.width + y) * picture.channels + c)]);
      }
    }
  }
  return result;
}

// The mean, rounded half up, of pixel (x, y) over a grid so fine that its pixels lie within
// one of the picture and within one of the result.
int mean_on_a_fine_grid(const Picture& picture, int width, int height, int x, int y, int c) {
  std::int64_t sum = 0;
  for (int v = y * picture.height; v < (y + 1) * picture.height; ++v) {
    for (int u = x * picture.width; u < (x + 1) * picture.width; ++u) {
      const int pixel = v / height * picture.width + u / width;
      sum += picture.pixels[static_cast<std::size_t>(pixel * picture.channels + c)];
    }
  }
  const std::int64_t count = std::int64_t{picture.width} * picture.height;
  return static_cast<int>((2 * sum + count) / (2 * count));
}

TEST(FitPicture, AreaIsTheExactMean) {
  for (const int channels : {1, 3}) {
    const Picture picture = speckled(33, 17, channels);
    for (const auto& [height, width] : Sides{{5, 7}, {1, 1}, {17, 33}, {16, 32}, {17, 2}}) {
      const Pixels pixels = fit_picture(picture, {height, width, channels}, kStretchByArea);
      for (int i = 0; i < height * width * channels; ++i) {
        const int c = i % channels;
        const int x = i / channels % width;
        const int y = i / channels / width;
        ASSERT_EQ(pixels[static_cast<std::size_t>(i)],
                  mean_on_a_fine_grid(picture, width, height, x, y, c))
            << width << " x " << height << ", " << x << " " << y;
      }
    }
  }
}

TEST(FitPicture, HalvesAreRoundedUp) {
  EXPECT_EQ(fit_picture({2, 2, 1, {0, 1, 0, 1}}, {1, 1, 1}, kStretchByArea), Pixels{1});
  EXPECT_EQ(fit_picture({2, 2, 1, {0, 1, 0, 0}}, {1, 1, 1}, kStretchByArea), Pixels{0});
  EXPECT_EQ(fit_picture({2, 2, 1, {255, 254, 254, 255}}, {1, 1, 1}, kStretchByArea), Pixels{255});
  // 3 thirds of 6 x 6 pixels, of which 18 are lighter.
  Picture picture{6, 6, 1, Pixels(36, 6)};
  std::fill_n(picture.pixels.begin() + 9, 18, std::uint8_t{7});
  EXPECT_EQ(fit_picture(picture, {1, 1, 1}, kStretchByArea), Pixels{7});
  picture.pixels[9] = 6;
  EXPECT_EQ(fit_picture(picture, {1, 1, 1}, kStretchByArea), Pixels{6});
}

TEST(FitPicture, BilinearByHand) {
  // Between centres, and level beyond the outermost.
  for (const auto& options : {kStretchByArea, kStretchBilinear}) {
    EXPECT_EQ(fit_picture({2, 1, 1, {0, 100}}, {1, 4, 1}, options), (Pixels{0, 25, 75, 100}));
    EXPECT_EQ(fit_picture({1, 1, 3, {7, 8, 9}}, {1, 2, 3}, options), (Pixels{7, 8, 9, 7, 8, 9}));
  }
  // A triangle as wide as two pixels of the result: weights 3, 3, 1 and 1, 3, 3.
  EXPECT_EQ(fit_picture({4, 1, 1, {0, 40, 80, 120}}, {1, 2, 1}, kStretchBilinear),
            (Pixels{29, 91}));
}

TEST(FitPicture, OneAxisMayGrowWhileTheOtherShrinks) {
  EXPECT_EQ(fit_picture({2, 2, 1, {0, 100, 50, 150}}, {1, 4, 1}, kStretchByArea),
            (Pixels{25, 50, 100, 125}));
}

TEST(FitPicture, KeepsWhatHasTheShape) {
  const Picture picture = speckled(7, 5, 3);
  for (const Fit fit : kFits) {
    for (const Resampling resampling : kResamplings) {
      EXPECT_EQ(fit_picture(picture, {5, 7, 3}, {fit, resampling, 0}), picture.pixels);
    }
  }
}

TEST(FitPicture, KeepsOneLevel) {
  for (const auto& [width, height] : Sides{{33, 17}, {1, 1}, {997, 3}, {3, 997}, {6000, 2}}) {
    const auto count = static_cast<std::size_t>(width * height);
    for (const int level : {0, 1, 127, 254, 255}) {
      const auto byte = static_cast<std::uint8_t>(level);
      for (const Fit fit : kFits) {
        for (const Resampling resampling : kResamplings) {
          const Picture picture{width, height, 1, Pixels(count, byte)};
          EXPECT_EQ(fit_picture(picture, {7, 13, 1}, {fit, resampling, level}), Pixels(91, byte));
        }
      }
    }
  }
}

TEST(FitPicture, BothAxesAreAlike) {
  const Picture picture = speckled(41, 23, 3);
  for (const Fit fit : kFits) {
    for (const Resampling resampling : kResamplings) {
      const PictureFitOptions options{fit, resampling, 3};
      const Picture fitted{13, 9, 3, fit_picture(picture, {9, 13, 3}, options)};
      EXPECT_EQ(fit_picture(transposed(picture), {13, 9, 3}, options), transposed(fitted).pixels);
    }
  }
}

TEST(FitPicture, FitLeavesABackground) {
  const PictureFitOptions options{Fit::kFit, Resampling::kArea, 9};
  EXPECT_EQ(fit_picture({4, 2, 1, {1, 2, 3, 4, 5, 6, 7, 8}}, {4, 4, 1}, options),
            (Pixels{9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9}));
  // Of an odd margin the larger half lies below, or to the right.
  EXPECT_EQ(fit_picture({2, 1, 1, {1, 2}}, {2, 2, 1}, options), (Pixels{1, 2, 9, 9}));
  EXPECT_EQ(fit_picture({1, 2, 1, {1, 2}}, {2, 2, 1}, options), (Pixels{1, 9, 2, 9}));
  // However flat a picture is, a line of it is left.
  EXPECT_EQ(fit_picture({1000, 1, 1, Pixels(1000, 5)}, {3, 2, 1}, options),
            (Pixels{9, 9, 5, 5, 9, 9}));
  // 3 of 5 pixels at 2 for 5: 1.2 rows, so 1; 3 at 5 for 6, 2.5 rows, so 3.
  EXPECT_EQ(fit_picture({5, 3, 1, Pixels(15, 5)}, {2, 2, 1}, options), (Pixels{5, 5, 9, 9}));
  EXPECT_EQ(fit_picture({6, 3, 1, Pixels(18, 5)}, {5, 5, 1}, options)[5], 5);
  EXPECT_EQ(fit_picture({6, 3, 1, Pixels(18, 5)}, {5, 5, 1}, options)[0], 9);
}

TEST(FitPicture, CropTakesTheMiddle) {
  const PictureFitOptions options{Fit::kCrop, Resampling::kArea, 255};
  EXPECT_EQ(fit_picture({6, 2, 1, {1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16}}, {2, 2, 1}, options),
            (Pixels{3, 4, 13, 14}));
  // From 1.5 to 3.5 pixels.
  EXPECT_EQ(fit_picture({5, 2, 1, {0, 10, 20, 30, 40, 0, 10, 20, 30, 40}}, {2, 2, 1}, options),
            (Pixels{15, 25, 15, 25}));
  // 2 x 6 to one row: of 4 rows' middle the means over 2 x 2 pixels.
  EXPECT_EQ(fit_picture({2, 6, 1, {9, 9, 9, 9, 1, 3, 5, 7, 9, 9, 9, 9}}, {1, 1, 1}, options),
            (Pixels{4}));
}

TEST(FitPicture, TheLargestSideIsExact) {
  Picture line{65'535, 1, 1, Pixels(65'535, 254)};
  std::fill_n(line.pixels.begin(), 32'768, std::uint8_t{255});
  EXPECT_EQ(fit_picture(line, {1, 1, 1}, kStretchByArea), Pixels{255});  // 32768 of 65535
  line.pixels[0] = 254;
  EXPECT_EQ(fit_picture(line, {1, 1, 1}, kStretchByArea), Pixels{254});  // 32767
  EXPECT_EQ(fit_picture(transposed(line), {1, 1, 1}, kStretchByArea), Pixels{254});
  EXPECT_EQ(fit_picture(line, {1, 2, 1}, kStretchBilinear), (Pixels{255, 254}));
}

TEST(FitPicture, RefusesWhatIsTooLarge) {
  for (const ImageShape& shape : {ImageShape{1, 1, 1}, ImageShape{0, 1, 1}}) {
    const int width = shape.height == 0 ? 1 : 65'536;
    const Picture line{width, 1, 1, Pixels(static_cast<std::size_t>(width), 0)};
    try {
      fit_picture(line, shape, kStretchByArea);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
    }
  }
  EXPECT_THROW(fit_picture({1, 1, 1, {0}}, {1, 1, 3}, kStretchByArea), Error);
}

TEST(MostReduction, LeavesAPixelForEach) {
  const ImageShape shape{64, 32, 3};
  EXPECT_EQ(most_reduction(256, 512, shape, Fit::kStretch), 8);
  EXPECT_EQ(most_reduction(255, 512, shape, Fit::kStretch), 4);
  EXPECT_EQ(most_reduction(256, 511, shape, Fit::kCrop), 4);
  EXPECT_EQ(most_reduction(4000, 127, shape, Fit::kCrop), 1);
  // The whole picture within the shape: the side that fills it decides.
  EXPECT_EQ(most_reduction(4000, 127, shape, Fit::kFit), 8);
  EXPECT_EQ(most_reduction(127, 100, shape, Fit::kFit), 2);
  EXPECT_EQ(most_reduction(1, 1, shape, Fit::kFit), 1);
}

}  // namespace

}  // namespace lockstep
