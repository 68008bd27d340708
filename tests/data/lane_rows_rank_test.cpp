// Single rows of the owned lanes, as a report shows them.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "data/samples.h"
#include "lockstep/data/training_data.h"
#include "support/rank_test.h"

namespace lockstep {

namespace {

constexpr int kLanes = 5;
constexpr std::uint64_t kSeed = 20;

DataOptions options_for(const std::string& path) {
  DataOptions options = samples::options();
  options.train.path = path;
  options.normalization = NormalizationKind::kNone;
  return options;
}

TEST(LaneRows, AreThoseOfTheSource) {
  const samples::SharedFolder folder(test_comm());
  const DataOptions options = options_for(folder.write("rows.csv", samples::csv(samples::kRows)));
  const TrainingData data(test_comm(), options, kLanes, kSeed);
  std::int64_t rows = 0;
  for (auto lane = static_cast<int>(data.owned_lanes().first); lane < data.owned_lanes().last;
       ++lane) {
    std::int32_t before = 0;
    for (std::int64_t slot = 0; slot < data.lane_size(lane); ++slot, ++rows) {
      const TrainingRow row = data.lane_row(lane, slot);
      const int number = static_cast<int>(row.number);
      ASSERT_EQ(row.label, samples::label_of(number));
      ASSERT_GE(row.label, before) << "rows of a lane are in the order of their classes";
      before = row.label;
      ASSERT_EQ(row.levels.size(), static_cast<std::size_t>(options.shape.pixels()));
      for (int i = 0; i < options.shape.pixels(); ++i) {
        ASSERT_EQ(row.levels[static_cast<std::size_t>(i)], samples::pixel_of(number, i));
      }
      ASSERT_EQ(data.augmented(lane, slot, 3), row.levels);  // augmentation is off
    }
  }
  test_comm().sum(std::span(&rows, 1));
  EXPECT_EQ(rows, data.summary().training_rows);
  const auto missing = static_cast<int>(data.owned_lanes().last);
  EXPECT_THROW(data.lane_size(missing), Error);
}

TEST(LaneRows, AreCopiedInTheOrderOfTheSamples) {
  constexpr int kBatch = 96;
  const samples::SharedFolder folder(test_comm());
  DataOptions options = options_for(folder.write("rows.csv", samples::csv(samples::kRows)));
  options.augmentation.rotation_degrees = 20;  // changes nothing here
  const TrainingData data(test_comm(), options, kLanes, kSeed);
  const auto pixels = static_cast<std::size_t>(options.shape.pixels());
  std::vector<std::byte> rows(kBatch * pixels, std::byte{77});
  for (auto lane = static_cast<int>(data.owned_lanes().first); lane < data.owned_lanes().last;
       ++lane) {
    for (const std::int64_t step : {std::int64_t{0}, data.steps_per_epoch(kBatch) - 1}) {
      data.copy_pixels(lane, 3, step, kBatch, rows);
      const std::vector<DrawnSample> drawn = data.draw_samples(lane, 3, step, kBatch);
      for (std::size_t i = 0; i < drawn.size() * pixels; ++i) {
        const int expected = samples::pixel_of(static_cast<int>(drawn[i / pixels].row),
                                               static_cast<int>(i % pixels));
        ASSERT_EQ(std::to_integer<int>(rows[i]), expected);
      }
      EXPECT_EQ(rows.back(), std::byte{77}) << "behind the last sample nothing is written";
    }
  }
}

TEST(LaneRows, AreAugmentedAsInTheBatches) {
  const samples::SharedFolder folder(test_comm());
  DataOptions options = options_for(folder.write("rows.csv", samples::csv(samples::kRows)));
  options.augmentation = {.rotation_degrees = 20, .translation_pixels = 1, .scale = 0.1F};
  const TrainingData data(test_comm(), options, kLanes, kSeed);
  const auto pixels = static_cast<std::size_t>(options.shape.pixels());
  const int all = static_cast<int>(data.summary().training_rows);
  std::size_t changed = 0;
  for (auto lane = static_cast<int>(data.owned_lanes().first); lane < data.owned_lanes().last;
       ++lane) {
    std::map<std::uint64_t, std::int64_t> slot_of;
    for (std::int64_t slot = 0; slot < data.lane_size(lane); ++slot) {
      slot_of[data.lane_row(lane, slot).number] = slot;
    }
    Batch batch;
    data.fill_batch(lane, 2, 0, all, batch);
    ASSERT_EQ(batch.rows.size(), slot_of.size());
    for (std::size_t i = 0; i < batch.rows.size(); ++i) {
      const std::int64_t slot = slot_of.at(batch.rows[i]);
      const std::vector<std::uint8_t> image = data.augmented(lane, slot, 2);
      if (image != data.lane_row(lane, slot).levels) ++changed;
      for (std::size_t p = 0; p < pixels; ++p) {
        ASSERT_NEAR(image[p], batch.images[i * pixels + p], 0.5);
      }
    }
  }
  if (data.owned_lanes().size() > 0) {
    EXPECT_GT(changed, 0U);
  }
}

}  // namespace

}  // namespace lockstep
