#include "data/image_draws.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <numbers>

namespace lockstep {

namespace {

constexpr int kDraws = 20000;
constexpr ImageShape kShape{28, 20, 1};

RowInEpoch key_of(int row) { return {5, static_cast<std::uint64_t>(row), 3}; }

ImageChange change_of(const AugmentationOptions& options, int row) {
  return draw_change(options, kShape, kByteRange, 60, key_of(row));
}

double mean_over(const std::function<double(int row)>& value) {
  double sum = 0;
  for (int row = 0; row < kDraws; ++row) sum += value(row);
  return sum / kDraws;
}

TEST(DrawTransform, StaysInRangeAndFillsIt) {
  AugmentationOptions options;
  options.rotation_degrees = 10;
  options.translation_pixels = 2;
  options.scale = 0.1F;
  double angle_squares = 0;
  double shift_squares = 0;
  double scale_squares = 0;
  for (int row = 0; row < kDraws; ++row) {
    const auto transform = draw_transform(options, {5, static_cast<std::uint64_t>(row), 3});
    const double degrees = transform.angle_radians * 180 / std::numbers::pi;
    ASSERT_LE(std::abs(degrees), 10.0001);
    ASSERT_LE(std::abs(transform.shift_x_pixels), 2);
    ASSERT_LE(std::abs(transform.shift_y_pixels), 2);
    ASSERT_LE(std::abs(transform.scale - 1), 0.10001);
    angle_squares += degrees * degrees;
    shift_squares += transform.shift_x_pixels * transform.shift_y_pixels;
    scale_squares += (transform.scale - 1) * (transform.scale - 1);
  }
  // The variance of a uniform draw in [-a, a] is a^2 / 3; axes are independent.
  EXPECT_NEAR(angle_squares / kDraws, 100.0 / 3, 1);
  EXPECT_NEAR(scale_squares / kDraws, 0.01 / 3, 1e-4);
  EXPECT_NEAR(shift_squares / kDraws, 0, 0.05);
}

TEST(DrawTransform, DependsOnSeedRowAndEpoch) {
  AugmentationOptions options;
  options.rotation_degrees = 10;
  const auto angle = [&](std::uint64_t seed, std::uint64_t row, int epoch) {
    return draw_transform(options, {seed, row, epoch}).angle_radians;
  };
  EXPECT_EQ(angle(1, 2, 3), angle(1, 2, 3));
  EXPECT_NE(angle(1, 2, 3), angle(2, 2, 3));
  EXPECT_NE(angle(1, 2, 3), angle(1, 3, 3));
  EXPECT_NE(angle(1, 2, 3), angle(1, 2, 4));
  EXPECT_NE(angle(1, 2, 3), angle(1, 2 + (std::uint64_t{1} << 32), 3));
  EXPECT_EQ(draw_transform(options, {1, 2, 3}).scale, 1);
  EXPECT_EQ(draw_transform(options, {1, 2, 3}).shift_x_pixels, 0);
}

TEST(DrawChange, IsNoneByDefault) {
  const ImageChange change = change_of({}, 1);
  EXPECT_EQ(change.mirrored, 0);
  EXPECT_EQ(change.crop_x, 0);
  EXPECT_EQ(change.crop_y, 0);
  EXPECT_EQ(change.gain, 1);
  EXPECT_EQ(change.shift, 0);
  EXPECT_FALSE(formula::contains(change.erased, 0, 0));
}

// Standard deviations of the means below: at most 0.5 / sqrt(20000) = 0.0035.
TEST(DrawChange, FlipsAsOftenAsAsked) {
  for (const float flip : {0.0F, 0.25F, 0.5F, 1.0F}) {
    const AugmentationOptions options{.flip = flip};
    const double limit = flip == 0 || flip == 1 ? 0 : 0.018;
    EXPECT_NEAR(mean_over([&](int row) { return change_of(options, row).mirrored; }), flip, limit);
  }
}

TEST(DrawChange, CropsAreUniformInTheMargin) {
  const AugmentationOptions options{.crop_padding_pixels = 2};
  std::map<std::pair<int, int>, int> counts;
  for (int row = 0; row < kDraws; ++row) {
    const ImageChange change = change_of(options, row);
    ++counts[{change.crop_x, change.crop_y}];
  }
  ASSERT_EQ(counts.size(), 25U);
  EXPECT_EQ(counts.begin()->first, std::pair(-2, -2));
  EXPECT_EQ(counts.rbegin()->first, std::pair(2, 2));
  for (const auto& [place, count] : counts) EXPECT_NEAR(count, kDraws / 25.0, 140);  // 5 deviations
}

TEST(DrawChange, ErasesASquareInsideTheImage) {
  const AugmentationOptions options{.erase = EraseOptions{.probability = 0.25F, .side_pixels = 8}};
  std::map<int, int> lefts;
  int erased = 0;
  for (int row = 0; row < kDraws; ++row) {
    const PixelBox box = change_of(options, row).erased;
    if (box.right == 0) continue;
    ++erased;
    ++lefts[box.left];
    ASSERT_EQ(box.right - box.left, 8);
    ASSERT_EQ(box.bottom - box.top, 8);
    ASSERT_TRUE(box.left >= 0 && box.right <= kShape.width);
    ASSERT_TRUE(box.top >= 0 && box.bottom <= kShape.height);
  }
  EXPECT_NEAR(erased, 0.25 * kDraws, 310);
  EXPECT_EQ(lefts.size(), 13U);  // 0 to 20 - 8
  EXPECT_EQ(lefts.begin()->first, 0);
}

TEST(DrawChange, ErasesByArea) {
  const AugmentationOptions options{
      .erase = EraseOptions{.probability = 1, .smallest_area = 0.1F, .largest_area = 0.2F}};
  double wide = 0;
  const double area = mean_over([&](int row) {
    const PixelBox box = change_of(options, row).erased;
    const int width = box.right - box.left;
    const int height = box.bottom - box.top;
    EXPECT_TRUE(width >= 1 && box.left >= 0 && box.right <= kShape.width);
    EXPECT_TRUE(height >= 1 && box.top >= 0 && box.bottom <= kShape.height);
    wide += width > height ? 1.0 / kDraws : 0;
    return width * height / (28.0 * 20);
  });
  EXPECT_NEAR(area, 0.15, 0.002);  // the sides are rounded, and seldom cut
  EXPECT_NEAR(wide, 0.5, 0.05);
  const AugmentationOptions whole{.erase = EraseOptions{.probability = 1, .side_pixels = 100}};
  const PixelBox box = change_of(whole, 1).erased;
  EXPECT_EQ(box.right, kShape.width);
  EXPECT_EQ(box.bottom, kShape.height);
}

// By the definition, for a value at a time.
TEST(DrawChange, TonesAboutBlackAndTheMean) {
  const ValueRange range{-1, 3};
  constexpr float kMean = 0.5F;
  AugmentationOptions bright{.brightness = 0.4F};
  AugmentationOptions strong{.contrast = 0.3F};
  AugmentationOptions both{.brightness = 0.4F, .contrast = 0.3F};
  for (int row = 0; row < 100; ++row) {
    const auto drawn = [&](const AugmentationOptions& options) {
      return draw_change(options, kShape, range, kMean, key_of(row));
    };
    const float f = drawn(bright).gain;
    const float c = drawn(strong).gain;
    EXPECT_LE(std::abs(f - 1), 0.4F);
    EXPECT_LE(std::abs(c - 1), 0.3F);
    const auto brightened = [&](float v) { return -1 + f * (v + 1); };
    for (const float v : {-1.0F, 0.0F, 0.5F, 2.5F}) {
      const auto toned = [&](const AugmentationOptions& options) {
        return formula::toned(drawn(options), -100, 100, v);
      };
      EXPECT_NEAR(toned(bright), brightened(v), 1e-5);
      EXPECT_NEAR(toned(strong), kMean + c * (v - kMean), 1e-5);
      const float mean = brightened(kMean);
      EXPECT_NEAR(toned(both), mean + c * (brightened(v) - mean), 1e-5);
    }
    EXPECT_EQ(formula::toned({.gain = 9}, -1, 3, 2), 3);
    EXPECT_EQ(formula::toned({.gain = 9}, -1, 3, -2), -1);
  }
}

TEST(DrawChange, EachPartHasItsOwnWords) {
  AugmentationOptions all{.flip = 0.5F,
                          .crop_padding_pixels = 3,
                          .erase = EraseOptions{},
                          .brightness = 0.2F,
                          .contrast = 0.3F};
  const ImageChange drawn = change_of(all, 8);
  EXPECT_EQ(change_of({.flip = 0.5F}, 8).mirrored, drawn.mirrored);
  EXPECT_EQ(change_of({.crop_padding_pixels = 3}, 8).crop_y, drawn.crop_y);
  EXPECT_EQ(change_of({.erase = EraseOptions{}}, 8).erased.left, drawn.erased.left);
  const AugmentationOptions toned{.brightness = 0.2F, .contrast = 0.3F};
  EXPECT_EQ(change_of(toned, 8).gain, drawn.gain);
}

// The share of draws below x, against the distribution function: Beta(1, 1) is uniform,
// Beta(1/2, 1/2) has the arc sine's, Beta(2, 2) is 3 x^2 - 2 x^3.
TEST(DrawMix, PartsHaveTheBetaDistribution) {
  const auto expect_distribution = [](float alpha, const std::function<double(double)>& below) {
    for (const double x : {0.02, 0.2, 0.5, 0.7, 0.95}) {
      const double share = mean_over([&](int row) {
        const ImageMix mix = draw_mix({.mixup_alpha = alpha}, kShape, key_of(row));
        EXPECT_EQ(mix.part, mix.label_part);
        return mix.part < x ? 1 : 0;
      });
      EXPECT_NEAR(share, below(x), 0.0177) << alpha << ' ' << x;  // 5 deviations
    }
  };
  expect_distribution(1, [](double x) { return x; });
  expect_distribution(0.5F,
                      [](double x) { return 2 / std::numbers::pi * std::asin(std::sqrt(x)); });
  expect_distribution(2, [](double x) { return 3 * x * x - 2 * x * x * x; });
}

// The variance of Beta(a, a) is 1 / (4 (2 a + 1)), for any a.
TEST(DrawMix, PartsOfSmallAndLargeAlpha) {
  for (const float alpha : {0.01F, 0.2F, 30.0F}) {
    const double square = mean_over([&](int row) {
      const float part = draw_mix({.mixup_alpha = alpha}, kShape, key_of(row)).part;
      EXPECT_TRUE(part >= 0 && part <= 1) << part;
      return (part - 0.5) * (part - 0.5);
    });
    const double variance = 1 / (4 * (2 * double{alpha} + 1));
    EXPECT_NEAR(square, variance, 0.05 * variance);
  }
}

TEST(DrawMix, LabelsHaveThePartsOfTheAreas) {
  const AugmentationOptions options{.cutmix_alpha = 1};
  double kept = 0;
  for (int row = 0; row < kDraws; ++row) {
    const ImageMix mix = draw_mix(options, kShape, key_of(row));
    ASSERT_EQ(mix.part, 1);
    int own = 0;
    for (int y = 0; y < kShape.height; ++y) {
      for (int x = 0; x < kShape.width; ++x) own += formula::contains(mix.pasted, x, y) ? 0 : 1;
    }
    ASSERT_NEAR(mix.label_part, own / (28.0 * 20), 1e-6);
    kept += mix.label_part / kDraws;
  }
  EXPECT_GT(kept, 0.5);  // boxes are cut at the edges
  EXPECT_LT(kept, 0.8);
}

TEST(DrawMix, OfTwoKindsEachIsAsLikely) {
  const AugmentationOptions options{.mixup_alpha = 1, .cutmix_alpha = 1};
  const double blended =
      mean_over([&](int row) { return draw_mix(options, kShape, key_of(row)).part != 1 ? 1 : 0; });
  EXPECT_NEAR(blended, 0.5, 0.018);
}

}  // namespace

}  // namespace lockstep
