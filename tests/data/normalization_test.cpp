#include "lockstep/data/normalization.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lockstep {

namespace {

TEST(Normalization, KindsWithoutStatistics) {
  const auto unit = make_normalization(NormalizationKind::kUnit, 2, kByteRange, {});
  EXPECT_EQ(unit.factor, (std::vector<float>{1.0F / 255, 1.0F / 255}));
  EXPECT_EQ(unit.offset, (std::vector<float>{0, 0}));
  const auto signed_unit = make_normalization(NormalizationKind::kUnit, 1, {-1, 3}, {});
  EXPECT_EQ(signed_unit.factor, std::vector<float>{0.25F});
  EXPECT_EQ(signed_unit.offset, std::vector<float>{0.25F});
  const auto none = make_normalization(NormalizationKind::kNone, 1, kByteRange, {});
  EXPECT_EQ(none.factor, std::vector<float>{1});
  EXPECT_EQ(none.offset, std::vector<float>{0});
}

// Channel 0: 0 and 200 equally often: mean 100, deviation 100. Channel 1: always
// 7. Channel 2: 1, 2, 3, 4: mean 2.5, variance 1.25.
TEST(Normalization, Standardize) {
  std::vector<ValueCounts> counts(3, {0, 1, std::vector<std::int64_t>(256)});
  counts[0].counts[0] = counts[0].counts[200] = 5'000'000'000;
  counts[1].counts[7] = 12;
  for (std::size_t value = 1; value <= 4; ++value) counts[2].counts[value] = 1;
  const auto result = make_normalization(NormalizationKind::kStandardize, 3, kByteRange, counts);
  EXPECT_FLOAT_EQ(result.factor[0], 0.01F);
  EXPECT_FLOAT_EQ(result.offset[0], -1);
  EXPECT_EQ(result.factor[1], 1);
  EXPECT_EQ(result.offset[1], -7);
  EXPECT_FLOAT_EQ(result.factor[2], static_cast<float>(1 / std::sqrt(1.25)));
  EXPECT_FLOAT_EQ(result.offset[2], static_cast<float>(-2.5 / std::sqrt(1.25)));
}

// -0.5 and 1.5 equally often: mean 0.5, deviation 1.
TEST(Normalization, StandardizeInSteps) {
  const std::vector<ValueCounts> counts = {{-0.5F, 0.25F, {3, 0, 0, 0, 0, 0, 0, 0, 3}}};
  const auto result = make_normalization(NormalizationKind::kStandardize, 1, {-1, 2}, counts);
  EXPECT_FLOAT_EQ(result.factor[0], 1);
  EXPECT_FLOAT_EQ(result.offset[0], -0.5F);
}

// A level of 0 stands for -1 and one of 255 for 3, which the training saw as 0 and 1.
TEST(Normalization, ForLevels) {
  const Normalization unit = make_normalization(NormalizationKind::kUnit, 1, {-1, 3}, {});
  const Normalization levels = for_levels(unit, {-1, 3});
  EXPECT_FLOAT_EQ(levels.offset[0], 0);
  EXPECT_FLOAT_EQ(255 * levels.factor[0] + levels.offset[0], 1);
  EXPECT_EQ(for_levels(unit, kByteRange), unit);
}

TEST(Normalization, AppliesPerChannelAndLikewiseInPlace) {
  for (const ImageShape shape : {ImageShape{3, 37, 1}, ImageShape{5, 2, 3}}) {
    Normalization normalization;
    std::vector<std::uint8_t> pixels;
    for (int i = 0; i < 2 * shape.pixels(); ++i) {
      pixels.push_back(static_cast<std::uint8_t>(i * 53 % 256));
    }
    for (int c = 0; c < shape.channels; ++c) {
      normalization.factor.push_back(0.5F + static_cast<float>(c));  // exact in float
      normalization.offset.push_back(-3.25F * static_cast<float>(c));
    }
    std::vector<float> images(pixels.size());
    normalize(PixelView(pixels), shape, normalization, images);
    std::vector<float> in_place(pixels.begin(), pixels.end());
    std::vector<float> of_floats(pixels.size());
    normalize({PixelType::kFloat, in_place.data(), in_place.size()}, shape, normalization,
              of_floats);
    normalize(in_place, shape, normalization);
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      const std::size_t c = i % static_cast<std::size_t>(shape.channels);
      const float expected = pixels[i] * normalization.factor[c] + normalization.offset[c];
      ASSERT_EQ(images[i], expected);
      ASSERT_EQ(in_place[i], expected);
      ASSERT_EQ(of_floats[i], expected);
    }
  }
}

TEST(FillBatch, TakesARangeOfAShare) {
  RowShare share;
  share.shape = {1, 2, 1};
  share.total = 3;
  for (int i = 0; i < 6; ++i) share.values.push_back(static_cast<std::byte>(i));
  share.labels = {7, 8, 9};
  share.numbers = {20, 30, 40};
  Batch batch;
  batch.labels = {1, 1, 1, 1};
  fill_batch(share, {1, 3}, make_normalization(NormalizationKind::kNone, 1, kByteRange, {}), batch);
  EXPECT_EQ(batch.size, 2);
  EXPECT_EQ(batch.images, (std::vector<float>{2, 3, 4, 5}));
  EXPECT_EQ(batch.labels, (std::vector<std::int32_t>{8, 9}));
  EXPECT_EQ(batch.rows, (std::vector<std::uint64_t>{30, 40}));
}

}  // namespace

}  // namespace lockstep
