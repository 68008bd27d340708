// What the executor promises beside right gradients: results are a function of the
// arguments alone.

#include "lockstep/model/lane_executor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <thread>

#include "model/digits.h"
#include "model/dropout_bytes.h"

namespace lockstep {
namespace {

constexpr ImageShape kShape{28, 28, 1};
constexpr LaneContext kContext{5, 2, 0};

Batch rows_of(std::vector<std::uint64_t> rows, const ImageShape& shape = kShape) {
  Batch batch;
  batch.size = static_cast<int>(rows.size());
  batch.rows = std::move(rows);
  for (const std::uint64_t row : batch.rows) {
    batch.labels.push_back(static_cast<std::int32_t>(row * row % 10));
    for (int i = 0; i < shape.pixels(); ++i) {
      batch.images.push_back(
          static_cast<float>(0.5 + 0.5 * std::sin(static_cast<double>(row) * (i + 1))));
    }
  }
  return batch;
}

std::vector<std::uint64_t> range(std::uint64_t first, std::uint64_t last) {
  std::vector<std::uint64_t> rows;
  for (std::uint64_t row = first; row < last; ++row) rows.push_back(row);
  return rows;
}

struct Trained {
  std::vector<float> gradients;
  std::vector<float> statistics;
  float loss_sum = 0;
  float correct = 0;
  bool operator==(const Trained&) const = default;
};

Trained train(LaneExecutor& executor, const Network& network, const Weights& weights,
              const Batch& batch, const LaneContext& context = kContext) {
  Trained trained;
  trained.gradients.resize(static_cast<std::size_t>(network.trainable_size()), 0.0F);
  trained.statistics.resize(static_cast<std::size_t>(network.statistics_size()), 0.0F);
  const LaneResult result =
      executor.train(weights, batch, context, trained.gradients, trained.statistics);
  trained.loss_sum = result.loss_sum;
  trained.correct = result.correct;
  return trained;
}

class Executor : public testing::TestWithParam<Precision> {
 protected:
  void SetUp() override { prepare_worker_thread(); }

  Trained fresh(const Batch& batch, const LaneContext& context = kContext) {
    LaneExecutor executor(network_, GetParam());
    return train(executor, network_, weights_, batch, context);
  }

  Network network_{samples::digits_model(true), kShape, 10};
  Weights weights_{network_.initial_weights(3), GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Precisions, Executor, testing::Values(Precision::kFp32, Precision::kBf16),
                         [](const auto& info) {
                           return info.param == Precision::kFp32 ? "Fp32" : "Bf16";
                         });

TEST_P(Executor, PassesBeforeLeaveNoTrace) {
  const Batch batch = rows_of(range(0, 33));
  const Trained expected = fresh(batch);
  LaneExecutor executor(network_, GetParam());
  std::vector<float> logits(70 * 10);
  train(executor, network_, weights_, rows_of(range(100, 170)));
  executor.infer(weights_, rows_of(range(0, 70)), logits);
  train(executor, network_, weights_, rows_of({7}));
  EXPECT_EQ(train(executor, network_, weights_, batch), expected);
}

TEST_P(Executor, ThreadsGiveTheSameBits) {
  const Batch batch = rows_of(range(0, 33));
  const Trained expected = fresh(batch);
  std::vector<Trained> found(3);
  std::vector<std::thread> threads;
  for (Trained& each : found) {
    threads.emplace_back([&] {
      prepare_worker_thread();
      each = fresh(batch);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Trained& each : found) EXPECT_EQ(each, expected);
}

// Ranks do not have their weights and batches at the same addresses. malloc aligns to
// 16 bytes, so there are four places within a cache line.
TEST_P(Executor, PlaceInMemoryDoesNotChangeTheBits) {
  const ModelOptions dense{{FlattenOptions{},
                            DenseOptions{.units = 61, .activation = ActivationKind::kRelu},
                            DenseOptions{.units = 10}}};
  const Network small(dense, {7, 7, 1}, 10);
  const std::vector<float> values = small.initial_weights(3);
  const Batch batch = rows_of(range(0, 5), {7, 7, 1});
  LaneExecutor executor(small, GetParam());
  const Trained expected = train(executor, small, Weights(values, GetParam()), batch);
  std::vector<float> expected_logits(50);
  executor.infer(Weights(values, GetParam()), batch, expected_logits);
  std::vector<std::unique_ptr<char[]>> shifts;  // kept, so that later allocations move
  std::vector<Weights> kept_weights;
  std::vector<Batch> kept_batches;
  std::set<std::uintptr_t> places;
  for (std::size_t i = 0; i < 40; ++i) {
    shifts.push_back(std::make_unique<char[]>(8 + 16 * (i * i % 7)));
    kept_weights.emplace_back(values, GetParam());
    kept_batches.push_back(batch);
    places.insert(reinterpret_cast<std::uintptr_t>(kept_weights.back().values().data()) % 64);
    places.insert(1000 + reinterpret_cast<std::uintptr_t>(kept_batches.back().images.data()) % 64);
    ASSERT_EQ(train(executor, small, kept_weights.back(), kept_batches.back()), expected) << i;
    std::vector<float> logits(50);
    executor.infer(kept_weights.back(), kept_batches.back(), logits);
    ASSERT_EQ(logits, expected_logits) << i;
  }
  EXPECT_GE(places.size(), 4U) << "the test did not move its data";
}

TEST_P(Executor, EmptyBatchGivesZeros) {
  LaneExecutor executor(network_, GetParam());
  std::vector<float> gradients(static_cast<std::size_t>(network_.trainable_size()), 7.0F);
  std::vector<float> statistics(static_cast<std::size_t>(network_.statistics_size()), 7.0F);
  const LaneResult result = executor.train(weights_, Batch{}, kContext, gradients, statistics);
  EXPECT_EQ(result.loss_sum, 0);
  EXPECT_EQ(result.correct, 0);
  EXPECT_EQ(gradients, std::vector<float>(gradients.size(), 0.0F));
  EXPECT_EQ(statistics, std::vector<float>(statistics.size(), 0.0F));
  executor.infer(weights_, Batch{}, {});
}

TEST_P(Executor, DropoutIsKeyedBySeedEpochAndRow) {
  const Batch batch = rows_of(range(0, 9));
  const Trained expected = fresh(batch);
  EXPECT_EQ(fresh(batch), expected);
  EXPECT_NE(fresh(batch, {6, 2, 0}), expected);
  EXPECT_NE(fresh(batch, {5, 3, 0}), expected);
  Batch renamed = batch;
  renamed.rows[4] += std::uint64_t{1} << 40;
  EXPECT_NE(fresh(renamed), expected);
}

TEST(DropoutBytes, OfARowDoNotDependOnItsPlaceOrCompany) {
  constexpr std::int64_t kElements = 997;  // not whole groups of 256
  DropoutBytes bytes;
  const auto draw = [&](const std::vector<std::uint64_t>& rows, std::size_t place) {
    Batch batch;
    batch.size = static_cast<int>(rows.size());
    batch.rows = rows;
    const std::uint8_t* all = bytes.draw(kContext, 4, batch, kElements);
    const auto* begin = all + static_cast<std::int64_t>(place) * kElements;
    return std::vector<std::uint8_t>(begin, begin + kElements);
  };
  const auto alone = draw({42}, 0);
  EXPECT_EQ(draw({1, 42, 3}, 1), alone);
  EXPECT_EQ(draw({7, 8, 9, 10, 42}, 4), alone);
  EXPECT_EQ(draw({42, 41}, 0), alone);
  EXPECT_NE(draw({43}, 0), alone);
}

// In a network of one dense layer the gradient of a weight is zero where its input was
// dropped, so the masks of single rows can be seen.
std::vector<bool> kept_inputs(float rate, std::uint64_t row) {
  const ImageShape shape{40, 25, 1};
  const Network network(
      {{DropoutOptions{.rate = rate}, FlattenOptions{}, DenseOptions{.units = 2}}}, shape, 2);
  Batch batch;
  batch.size = 1;
  batch.rows = {row};
  batch.labels = {0};
  batch.images.assign(1000, 1.0F);
  LaneExecutor executor(network, Precision::kFp32);
  const Trained trained =
      train(executor, network, Weights(network.initial_weights(1), Precision::kFp32), batch);
  std::vector<bool> kept;
  for (std::size_t i = 0; i < 1000; ++i) kept.push_back(trained.gradients[i] != 0);
  return kept;
}

// Within five deviations of the rate that is rounded to 256ths.
TEST(Dropout, KeepsItsShare) {
  prepare_worker_thread();
  for (const float rate : {0.25F, 0.5F, 0.9F}) {
    const double keep = 1 - std::round(rate * 256) / 256;
    constexpr int kRows = 100;
    std::int64_t kept = 0;
    std::vector<int> kept_at(1000, 0);
    for (std::uint64_t row = 0; row < kRows; ++row) {
      const std::vector<bool> inputs = kept_inputs(rate, row);
      for (std::size_t i = 0; i < 1000; ++i) kept_at[i] += inputs[i] ? 1 : 0;
      kept += std::count(inputs.begin(), inputs.end(), true);
    }
    const double draws = 1000.0 * kRows;
    EXPECT_NEAR(static_cast<double>(kept) / draws, keep, 5 * std::sqrt(keep * (1 - keep) / draws));
    for (const int each : kept_at) {  // no element is special
      EXPECT_NEAR(each, keep * kRows, 5 * std::sqrt(keep * (1 - keep) * kRows) + 1);
    }
  }
}

TEST(Weights, RoundedCopyFollowsItsRange) {
  const Network network(samples::digits_model(false), kShape, 10);
  Weights weights(network.initial_weights(3), Precision::kBf16);
  ASSERT_EQ(weights.rounded().size(), weights.values().size());
  for (float& value : weights.values()) value = 1.0F;
  const auto before = weights.rounded()[0];
  weights.round({16, 32});
  EXPECT_EQ(weights.rounded()[0], before);
  EXPECT_EQ(weights.rounded()[16], 0x3F80);
  EXPECT_EQ(weights.rounded()[31], 0x3F80);
  EXPECT_TRUE(Weights(network.initial_weights(3), Precision::kFp32).rounded().empty());
}

TEST(Weights, DigestIsOfParametersWithoutGaps) {
  const Network network({{FlattenOptions{}, DenseOptions{.units = 3}}}, {1, 5, 1}, 3);
  const std::vector<float> values = network.initial_weights(3);
  std::vector<float> parameters(values.begin(), values.begin() + 15);
  parameters.insert(parameters.end(), 3, 0.0F);  // the biases, which begin at float 16
  Weights weights(values, Precision::kFp32);
  EXPECT_EQ(weights.digest(network), digest_of(std::as_bytes(std::span(parameters))));
  weights.values()[15] = 1;  // a gap
  EXPECT_EQ(weights.digest(network), digest_of(std::as_bytes(std::span(parameters))));
  weights.values()[16] = 1;
  EXPECT_NE(weights.digest(network), digest_of(std::as_bytes(std::span(parameters))));
}

}  // namespace
}  // namespace lockstep
