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
      ASSERT_EQ(data.augmented(lane, slot, 3, 64), row.levels);  // augmentation is off
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

// Every lane's rows as reported, against its batches: one of all rows of an epoch for
// `global_batch` 0, else those of so many.
void expect_reported(const std::string& path, const AugmentationOptions& augmentation,
                     int global_batch) {
  DataOptions options = options_for(path);
  options.augmentation = augmentation;
  const TrainingData data(test_comm(), options, kLanes, kSeed);
  const auto pixels = static_cast<std::size_t>(options.shape.pixels());
  const int size =
      global_batch == 0 ? static_cast<int>(data.summary().training_rows) : global_batch;
  std::size_t changed = 0;
  for (auto lane = static_cast<int>(data.owned_lanes().first); lane < data.owned_lanes().last;
       ++lane) {
    std::map<std::uint64_t, std::int64_t> slot_of;
    for (std::int64_t slot = 0; slot < data.lane_size(lane); ++slot) {
      slot_of[data.lane_row(lane, slot).number] = slot;
    }
    Batch batch;
    std::size_t seen = 0;
    for (std::int64_t step = 0; step < data.steps_per_epoch(size); ++step) {
      data.fill_batch(lane, 2, step, size, batch);
      for (std::size_t i = 0; i < batch.rows.size(); ++i, ++seen) {
        const std::int64_t slot = slot_of.at(batch.rows[i]);
        const std::vector<std::uint8_t> image = data.augmented(lane, slot, 2, size);
        if (image != data.lane_row(lane, slot).levels) ++changed;
        for (std::size_t p = 0; p < pixels; ++p) {
          ASSERT_NEAR(image[p], batch.images[i * pixels + p], 0.5);
        }
      }
    }
    ASSERT_EQ(seen, slot_of.size());
  }
  if (data.owned_lanes().size() > 0) {
    EXPECT_GT(changed, 0U);
  }
}

TEST(LaneRows, AreAugmentedAsInTheBatches) {
  const samples::SharedFolder folder(test_comm());
  const std::string path = folder.write("rows.csv", samples::csv(samples::kRows));
  expect_reported(path, {.rotation_degrees = 20, .translation_pixels = 1, .scale = 0.1F}, 0);
  expect_reported(path,
                  {.flip = 0.5F,
                   .crop_padding_pixels = 2,
                   .erase = EraseOptions{},
                   .contrast = 0.2F,
                   .mixup_alpha = 0.4F,
                   .cutmix_alpha = 1},
                  96);
}

// Each sample with the next of its lane and step, from images that are formed without mixing.
TEST(LaneRows, AreMixedWithTheNextOfTheirStep) {
  const samples::SharedFolder folder(test_comm());
  DataOptions options = options_for(folder.write("rows.csv", samples::csv(samples::kRows)));
  options.augmentation = {.flip = 0.5F, .crop_padding_pixels = 1};
  const TrainingData plain(test_comm(), options, kLanes, kSeed);
  options.augmentation.mixup_alpha = 0.4F;
  const TrainingData mixed(test_comm(), options, kLanes, kSeed);
  const auto pixels = static_cast<std::size_t>(options.shape.pixels());
  Batch own;
  Batch batch;
  const auto owned = plain.owned_lanes();
  for (auto lane = static_cast<int>(owned.first); lane < owned.last; ++lane) {
    for (const std::int64_t step : {0, 8}) {  // the last has 30 samples
      plain.fill_batch(lane, 1, step, 96, own);
      mixed.fill_batch(lane, 1, step, 96, batch);
      ASSERT_EQ(batch.rows, own.rows);
      ASSERT_EQ(batch.labels, own.labels);
      ASSERT_TRUE(own.other_labels.empty());
      for (std::size_t i = 0; i < own.rows.size(); ++i) {
        const std::size_t next = (i + 1) % own.rows.size();
        ASSERT_EQ(batch.other_labels[i], own.labels[next]);
        const float part = batch.label_parts[i];
        for (std::size_t p = 0; p < pixels; ++p) {
          ASSERT_NEAR(
              batch.images[i * pixels + p],
              part * own.images[i * pixels + p] + (1 - part) * own.images[next * pixels + p], 1e-4);
        }
      }
    }
  }
}

}  // namespace

}  // namespace lockstep
