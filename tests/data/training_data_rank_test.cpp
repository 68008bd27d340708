// TrainingData on every number of ranks: what each rank holds must be what a world
// of one finds in the same file, and the deal must keep its promises.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "data/samples.h"
#include "lockstep/data/training_data.h"
#include "support/rank_test.h"

namespace lockstep {

namespace {

constexpr int kLanes = 5;
constexpr int kBatch = 96;  // leaves a remainder, and does not divide by the lanes
constexpr std::uint64_t kSeed = 20;

DataOptions options_for(const std::string& path) {
  DataOptions options = samples::options();
  options.train.path = path;
  return options;
}

std::int64_t total(const std::vector<std::int64_t>& counts) {
  std::int64_t sum = 0;
  for (const std::int64_t count : counts) sum += count;
  return sum;
}

// Batches of owned lanes and held validation rows, against a world of one.
void expect_as_alone(const DataOptions& options, int lanes) {
  Communicator& comm = test_comm();
  const TrainingData shared(comm, options, lanes, kSeed);
  const auto self = connect_self();
  const TrainingData alone(*self, options, lanes, kSeed);

  EXPECT_EQ(shared.summary().training_rows, alone.summary().training_rows);
  EXPECT_EQ(shared.summary().validation_rows, alone.summary().validation_rows);
  EXPECT_EQ(shared.summary().training_class_counts, alone.summary().training_class_counts);
  EXPECT_EQ(shared.summary().validation_class_counts, alone.summary().validation_class_counts);
  EXPECT_EQ(shared.summary().digest, alone.summary().digest);
  EXPECT_EQ(shared.summary().normalization, alone.summary().normalization);
  EXPECT_EQ(shared.owned_lanes(), share_of(lanes, comm.world_size(), comm.rank()));

  Batch mine;
  Batch expected;
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (std::int64_t step = 0; step < shared.steps_per_epoch(kBatch); ++step) {
      for (std::int64_t lane = shared.owned_lanes().first; lane < shared.owned_lanes().last;
           ++lane) {
        shared.fill_batch(static_cast<int>(lane), epoch, step, kBatch, mine);
        alone.fill_batch(static_cast<int>(lane), epoch, step, kBatch, expected);
        ASSERT_EQ(mine.size, expected.size);
        ASSERT_EQ(mine.rows, expected.rows);
        ASSERT_EQ(mine.labels, expected.labels);
        ASSERT_EQ(mine.images, expected.images);
        ASSERT_EQ(mine.other_labels, expected.other_labels);
        ASSERT_EQ(mine.label_parts, expected.label_parts);
      }
    }
  }
  const RowShare& part = shared.validation();
  const RowShare& whole = alone.validation();
  ASSERT_EQ(part.total, whole.total);
  ASSERT_LE(part.first + part.size(), whole.size());
  const auto from = [&](const auto& values, int width) {
    return values.begin() + part.first * width;
  };
  EXPECT_TRUE(std::equal(part.numbers.begin(), part.numbers.end(), from(whole.numbers, 1)));
  EXPECT_TRUE(std::equal(part.labels.begin(), part.labels.end(), from(whole.labels, 1)));
  EXPECT_TRUE(std::equal(part.values.begin(), part.values.end(),
                         from(whole.values, options.shape.pixels())));
  std::int64_t held = part.size();
  comm.sum(std::span(&held, 1));
  EXPECT_EQ(held, whole.total);
}

TEST(TrainingData, IsTheSameAtEveryWorldSize) {
  const samples::SharedFolder folder(test_comm());
  DataOptions options = options_for(folder.write("rows.csv", samples::csv(samples::kRows)));
  expect_as_alone(options, kLanes);
  options.normalization = NormalizationKind::kStandardize;
  options.augmentation.rotation_degrees = 12;
  options.augmentation.translation_pixels = 1.5F;
  options.augmentation.scale = 0.1F;
  expect_as_alone(options, 4);
  options.augmentation.flip = 0.5F;
  options.augmentation.crop_padding_pixels = 2;
  options.augmentation.erase = EraseOptions{};
  options.augmentation.brightness = 0.2F;
  options.augmentation.contrast = 0.3F;
  options.augmentation.mixup_alpha = 0.4F;
  options.augmentation.cutmix_alpha = 1;
  expect_as_alone(options, 5);
  options.validation = {{}, 0.5, false};
  expect_as_alone(options, 3);
  options.validation.fraction = 0;
  expect_as_alone(options, 1);
}

// Every training row once an epoch, with its own pixels and label; lanes differ by
// at most one row; each batch has its size; validation rows are the others.
TEST(TrainingData, EachRowOnceAnEpoch) {
  const samples::SharedFolder folder(test_comm());
  DataOptions options = options_for(folder.write("rows.csv", samples::csv(samples::kRows)));
  options.normalization = NormalizationKind::kNone;
  const auto self = connect_self();
  const TrainingData data(*self, options, kLanes, kSeed);
  ASSERT_EQ(data.summary().validation_rows, 199);  // round(0.2 * 997)
  ASSERT_EQ(data.summary().training_rows, 798);
  ASSERT_EQ(data.steps_per_epoch(kBatch), 9);  // ceil(798 / 96)

  std::vector<std::vector<std::uint64_t>> orders;
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::set<std::uint64_t> seen(data.validation().numbers.begin(),
                                 data.validation().numbers.end());
    ASSERT_EQ(seen.size(), 199U);
    std::vector<std::int64_t> lane_sizes(kLanes, 0);
    std::vector<std::uint64_t>& order = orders.emplace_back();
    for (std::int64_t step = 0; step < 9; ++step) {
      int step_size = 0;
      for (int lane = 0; lane < kLanes; ++lane) {
        Batch batch;
        data.fill_batch(lane, epoch, step, kBatch, batch);
        step_size += batch.size;
        lane_sizes[static_cast<std::size_t>(lane)] += batch.size;
        ASSERT_LE(std::abs(batch.size - (step < 8 ? kBatch : 30) / kLanes), 1);
        for (std::size_t i = 0; i < batch.rows.size(); ++i) {
          const int row = static_cast<int>(batch.rows[i]);
          ASSERT_TRUE(seen.insert(batch.rows[i]).second) << "row " << row << " twice";
          ASSERT_EQ(batch.labels[i], samples::label_of(row));
          for (int p = 0; p < 45; ++p) {
            ASSERT_EQ(batch.images[i * 45 + static_cast<std::size_t>(p)],
                      static_cast<float>(samples::pixel_of(row, p)));
          }
          order.push_back(batch.rows[i]);
        }
      }
      EXPECT_EQ(step_size, step < 8 ? 96 : 30);  // 798 = 8 * 96 + 30
    }
    EXPECT_EQ(seen.size(), 997U);
    EXPECT_EQ(*seen.rbegin(), 996U);
    EXPECT_EQ(lane_sizes, (std::vector<std::int64_t>{160, 160, 160, 159, 159}));
  }
  EXPECT_NE(orders[0], orders[1]);
  EXPECT_FALSE(std::is_sorted(orders[0].begin(), orders[0].end()));
}

// Class counts by formula, and each lane with its share of every class.
TEST(TrainingData, ClassesAreSpreadEvenly) {
  const samples::SharedFolder folder(test_comm());
  const DataOptions options = options_for(folder.write("rows.csv", samples::csv(samples::kRows)));
  const TrainingData data(test_comm(), options, kLanes, kSeed);
  std::vector<std::int64_t> counts(samples::kClasses, 0);
  for (int row = 0; row < samples::kRows; ++row) {
    ++counts[static_cast<std::size_t>(samples::label_of(row))];
  }
  const auto& training = data.summary().training_class_counts;
  const auto& validation = data.summary().validation_class_counts;
  EXPECT_EQ(total(training), 798);
  EXPECT_EQ(total(validation), 199);
  for (std::size_t c = 0; c < counts.size(); ++c) {
    EXPECT_EQ(training[c] + validation[c], counts[c]);
    EXPECT_LT(
        std::abs(static_cast<double>(validation[c]) - 199.0 * static_cast<double>(counts[c]) / 997),
        1);
  }
  for (std::int64_t lane = data.owned_lanes().first; lane < data.owned_lanes().last; ++lane) {
    std::vector<std::int64_t> in_lane(counts.size(), 0);
    Batch batch;
    for (std::int64_t step = 0; step < data.steps_per_epoch(kBatch); ++step) {
      data.fill_batch(static_cast<int>(lane), 0, step, kBatch, batch);
      for (const std::int32_t label : batch.labels) ++in_lane[static_cast<std::size_t>(label)];
    }
    for (std::size_t c = 0; c < counts.size(); ++c) {
      EXPECT_LT(
          std::abs(static_cast<double>(in_lane[c]) - static_cast<double>(training[c]) / kLanes), 1);
    }
  }
}

// Statistics of exactly the training rows, from their pixels one by one.
TEST(TrainingData, StandardizesOverTheTrainingRows) {
  const samples::SharedFolder folder(test_comm());
  DataOptions options = options_for(folder.write("rows.csv", samples::csv(samples::kRows)));
  options.normalization = NormalizationKind::kStandardize;
  const TrainingData data(test_comm(), options, kLanes, kSeed);
  const auto self = connect_self();
  const TrainingData alone(*self, options, kLanes, kSeed);
  const auto& held = alone.validation().numbers;
  double sum = 0;
  double squares = 0;
  for (int row = 0; row < samples::kRows; ++row) {
    if (std::binary_search(held.begin(), held.end(), static_cast<std::uint64_t>(row))) continue;
    for (int p = 0; p < 45; ++p) {
      const double pixel = samples::pixel_of(row, p);
      sum += pixel;
      squares += pixel * pixel;
    }
  }
  const double mean = sum / (798 * 45);
  const double deviation = std::sqrt(squares / (798 * 45) - mean * mean);
  options.normalization = NormalizationKind::kUnit;
  EXPECT_TRUE(TrainingData(test_comm(), options, kLanes, kSeed).mean_pixel().empty());
  options.augmentation.erase = EraseOptions{};
  const TrainingData erased(test_comm(), options, kLanes, kSeed);
  ASSERT_EQ(erased.mean_pixel().size(), 1U);
  EXPECT_NEAR(erased.mean_pixel()[0], mean, 1e-5);
  EXPECT_NEAR(data.summary().normalization.factor[0], 1 / deviation, 1e-7);
  EXPECT_NEAR(data.summary().normalization.offset[0], -mean / deviation, 1e-6);
}

// The digest is of what the rows are, not of how the file says it.
TEST(TrainingData, DigestFollowsTheRows) {
  const samples::SharedFolder folder(test_comm());
  const auto digest = [&](const std::string& name, const std::string& text) {
    return TrainingData(test_comm(), options_for(folder.write(name, text)), kLanes, kSeed)
        .summary()
        .digest;
  };
  const std::string text = samples::csv(samples::kRows);
  const Digest whole = digest("rows.csv", text);
  EXPECT_EQ(whole, digest("crlf.csv",
                          samples::csv(samples::kRows, {.line_end = "\r\n", .label_column = 9})));
  EXPECT_NE(whole, digest("fewer.csv", samples::csv(samples::kRows - 1)));
  std::string changed = text;
  char& last_pixel = changed[changed.size() - 2];
  last_pixel = last_pixel == '0' ? '1' : '0';
  EXPECT_NE(whole, digest("changed.csv", changed));
}

TEST(TrainingData, ALaneWithoutRowsIsRefused) {
  const samples::SharedFolder folder(test_comm());
  const std::string path = folder.write("few.csv", samples::csv(5));
  EXPECT_EQ(samples::error_of([&] { TrainingData(test_comm(), options_for(path), kLanes, kSeed); }),
            path +
                ": 4 training rows beside 1 of validation; expected at least one for each of 5 "
                "lanes");
}

}  // namespace

}  // namespace lockstep
