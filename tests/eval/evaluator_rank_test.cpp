// Evaluations on every number of ranks, against a world of one and against counts and
// losses recomputed row by row.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lockstep/eval/evaluator.h"
#include "support/rank_test.h"

namespace lockstep {
namespace {

constexpr int kClasses = 7;
constexpr ImageShape kShape{6, 5, 1};
const std::vector<std::string> kNames = {"a", "b", "c", "d", "e", "f", "g"};
const Normalization kNormalization{{1.0F / 255}, {-0.25F}};

Network network() {
  return Network(
      {{ConvOptions{.filters = 5, .activation = ActivationKind::kRelu}, BatchNormOptions{},
        DropoutOptions{}, FlattenOptions{}, DenseOptions{.units = kClasses}}},
      kShape, kClasses);
}

// All parameters away from their start, running statistics included.
Weights random_weights(const Network& network, Precision precision) {
  std::vector<float> values = network.initial_weights(5);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] += 0.3F * (1 + std::sin(static_cast<float>(i)));
  }
  return {values, precision};
}

// The part of `total` rows by formula that rank `rank` of `world` holds.
RowShare rows_of(std::int64_t total, int world, int rank) {
  RowShare share;
  share.shape = kShape;
  share.total = total;
  const Range chunks = share_of((total + kChunkRows - 1) / kChunkRows, world, rank);
  share.first = chunks.first * kChunkRows;
  for (std::int64_t row = share.first; row < std::min(chunks.last * kChunkRows, total); ++row) {
    share.numbers.push_back(static_cast<std::uint64_t>(row));
    share.labels.push_back(static_cast<std::int32_t>((row * row + row / 5) % kClasses));
    for (int i = 0; i < kShape.pixels(); ++i) {
      share.values.push_back(static_cast<std::byte>((row * 131 + i * i * 29 + row * i) % 256));
    }
  }
  return share;
}

Evaluation evaluate(Communicator& comm, Precision precision, std::int64_t rows, int worker_count,
                    const EvaluationOptions& options = {}) {
  const Network net = network();
  Workers workers(worker_count, prepare_worker_thread);
  CpuEvaluator evaluator(net, workers, precision, kNormalization, options);
  return evaluator.evaluate(comm, random_weights(net, precision),
                            rows_of(rows, comm.world_size(), comm.rank()), kNames);
}

TEST(Evaluator, IsEqualAtEveryWorldSizeAndWorkerCount) {
  const auto self = connect_self();
  for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
    for (const std::int64_t rows : {997, 128, 1, 0}) {
      const Evaluation alone = evaluate(*self, precision, rows, 1);
      EXPECT_EQ(alone.rows(), rows);
      for (int workers = 1; workers <= 3; ++workers) {
        const Evaluation shared = evaluate(test_comm(), precision, rows, workers);
        EXPECT_EQ(shared.confusion, alone.confusion);
        EXPECT_EQ(shared.loss_sum, alone.loss_sum) << rows << " rows";
        EXPECT_EQ(shared.classes, kClasses);
        EXPECT_EQ(shared.class_names, kNames);
      }
    }
  }
}

// Each row in a pass of its own, counted and summed without the evaluator.
TEST(Evaluator, CountsAndLossesAreThoseOfTheRows) {
  constexpr std::int64_t kRows = 997;
  prepare_worker_thread();
  const Network net = network();
  const Weights weights = random_weights(net, Precision::kFp32);
  LaneExecutor executor(net, Precision::kFp32);
  const RowShare all = rows_of(kRows, 1, 0);
  std::vector<std::int64_t> confusion(kClasses * kClasses, 0);
  double loss_sum = 0;
  Batch batch;
  std::vector<float> logits(kClasses);
  for (std::int64_t row = 0; row < kRows; ++row) {
    fill_batch(all, {row, row + 1}, kNormalization, batch);
    executor.infer(weights, batch, logits);
    const std::int32_t label = all.labels[static_cast<std::size_t>(row)];
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    ++confusion[static_cast<std::size_t>(label * kClasses + best)];
    double total = 0;
    for (const float logit : logits) total += std::exp(static_cast<double>(logit));
    loss_sum += std::log(total) - logits[static_cast<std::size_t>(label)];
  }
  const Evaluation evaluation = evaluate(test_comm(), Precision::kFp32, kRows, 2);
  EXPECT_EQ(evaluation.confusion, confusion);
  EXPECT_NEAR(evaluation.loss_sum, loss_sum, 1e-5 * loss_sum);
}

TEST(Evaluator, LogitsAreOfTheRowsHeldHere) {
  constexpr std::int64_t kRows = 997;
  const Network net = network();
  const Weights weights = random_weights(net, Precision::kFp32);
  Workers workers(2, prepare_worker_thread);
  CpuEvaluator evaluator(net, workers, Precision::kFp32, kNormalization);
  const RowShare mine = rows_of(kRows, test_comm().world_size(), test_comm().rank());
  const std::vector<float> all = evaluator.logits(weights, rows_of(kRows, 1, 0));
  const std::vector<float> here = evaluator.logits(weights, mine);
  const auto begin = all.begin() + mine.first * kClasses;
  EXPECT_EQ(here, std::vector<float>(begin, begin + mine.size() * kClasses));
}

TEST(Evaluator, CountsRowsAmongTheLikeliest) {
  const auto self = connect_self();
  const Evaluation none = evaluate(*self, Precision::kFp32, 997, 1);
  EXPECT_EQ(none.top_k, 0);
  std::int64_t before = 0;
  for (int k = 1; k < kClasses; ++k) {
    const EvaluationOptions options{.top_k = k};
    const Evaluation alone = evaluate(*self, Precision::kFp32, 997, 1, options);
    const Evaluation shared = evaluate(test_comm(), Precision::kFp32, 997, 2, options);
    EXPECT_EQ(alone.top_k, k);
    EXPECT_EQ(shared.top_k_correct, alone.top_k_correct);
    EXPECT_EQ(shared.confusion, none.confusion);
    EXPECT_GT(alone.top_k_correct, before);
    before = alone.top_k_correct;
    if (k == 1) {
      EXPECT_EQ(alone.top_k_correct, alone.correct());
    }
    EXPECT_EQ(alone.top_k_accuracy(), static_cast<double>(before) / 997);
  }
}

// Logits of the rows and of rows whose pixels are moved and swapped here.
TEST(Evaluator, AveragesTheLogitsOfViews) {
  constexpr std::int64_t kRows = 300;
  const Network net = network();
  Workers workers(2, prepare_worker_thread);
  const RowShare rows = rows_of(kRows, 1, 0);
  const auto looked_at = [&](int shift, bool mirrored) {
    RowShare view = rows;
    const auto inside = [](int place, int size) { return std::min(std::max(place, 0), size - 1); };
    constexpr int kWidth = kShape.width;
    for (int i = 0; i < static_cast<int>(rows.values.size()); ++i) {
      const int x = i % kWidth;
      const int y = i / kWidth % kShape.height;
      const int from_x = inside((mirrored ? kWidth - 1 - x : x) + shift, kWidth);
      const int from_y = inside(y + shift, kShape.height);
      view.values[i] = rows.values[i - y * kWidth - x + from_y * kWidth + from_x];
    }
    return view;
  };
  for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
    const Weights weights = random_weights(net, precision);
    CpuEvaluator plain(net, workers, precision, kNormalization);
    const auto logits = [&](int shift, bool mirrored) {
      return plain.logits(weights, looked_at(shift, mirrored));
    };
    const auto averaged = [&](const EvaluationOptions& options) {
      return CpuEvaluator(net, workers, precision, kNormalization, options).logits(weights, rows);
    };
    const auto one = logits(0, false), other = logits(0, true);
    const auto left = logits(2, false), right = logits(-2, false);
    const auto left_mirrored = logits(2, true), right_mirrored = logits(-2, true);
    std::vector<float> of_flips, of_shifts, of_both;
    for (std::size_t i = 0; i < one.size(); ++i) {
      of_flips.push_back((one[i] + other[i]) / 2);
      of_shifts.push_back(one[i] / 2 + left[i] / 4 + right[i] / 4);
      of_both.push_back(one[i] / 4 + other[i] / 4 + left[i] / 8 + left_mirrored[i] / 8 +
                        right[i] / 8 + right_mirrored[i] / 8);
    }
    EXPECT_EQ(averaged({.average_flips = true}), of_flips);
    EXPECT_EQ(averaged({.average_shifts = 2}), of_shifts);
    EXPECT_EQ(averaged({.average_flips = true, .average_shifts = 2}), of_both);
  }
}

TEST(Show, MovesAndSwapsWholePixels) {
  const std::vector<float> images = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const auto shown = [&](const ImageShape& shape, int shift, bool mirrored) {
    std::vector<float> to(images.size());
    show(shape, {shift, mirrored, 1}, images, to);
    return to;
  };
  using Images = std::vector<float>;
  EXPECT_EQ(shown({1, 3, 2}, 0, true), (Images{5, 6, 3, 4, 1, 2, 11, 12, 9, 10, 7, 8}));
  EXPECT_EQ(shown({3, 4, 1}, 0, true), (Images{4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9}));
  EXPECT_EQ(shown({3, 4, 1}, 1, false), (Images{6, 7, 8, 8, 10, 11, 12, 12, 10, 11, 12, 12}));
  EXPECT_EQ(shown({3, 4, 1}, -2, true), (Images{2, 1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1}));
}

// The counts of scikit-learn 1.9.1, of scores without equal ones:
//   s = [[(31 * i * i + 17 * c * c + 5 * i * c) % 9973 for c in range(7)] for i in range(500)]
//   y = [(i * i + i // 5) % 7 for i in range(500)]
//   top_k_accuracy_score(y, s, k=k, normalize=False, labels=range(7))
TEST(IsAmongLargest, CountsAsScikitLearn) {
  std::vector<int> counts;
  for (int k = 1; k < 7; ++k) {
    int count = 0;
    for (int i = 0; i < 500; ++i) {
      std::vector<float> scores;
      for (int c = 0; c < 7; ++c) {
        scores.push_back(static_cast<float>((31 * i * i + 17 * c * c + 5 * i * c) % 9973));
      }
      count += is_among_largest(scores, (i * i + i / 5) % 7, k) ? 1 : 0;
    }
    counts.push_back(count);
  }
  EXPECT_EQ(counts, (std::vector<int>{70, 144, 212, 277, 363, 433}));
}

// scikit-learn puts the last of equals first; here it is the first, as in the accuracy.
TEST(IsAmongLargest, OfEqualLogitsTheFirst) {
  const std::vector<float> logits = {1, 2, 2, 0, 2};
  const auto hits = [&](int k) {
    std::string hit;
    for (std::int32_t label = 0; label < 5; ++label) {
      if (is_among_largest(logits, label, k)) hit += std::to_string(label);
    }
    return hit;
  };
  EXPECT_EQ(hits(0), "");
  EXPECT_EQ(hits(1), "1");
  EXPECT_EQ(hits(2), "12");
  EXPECT_EQ(hits(3), "124");
  EXPECT_EQ(hits(4), "0124");
  EXPECT_EQ(hits(5), "01234");
  const std::vector<float> undefined = {0, std::nanf(""), 1};
  EXPECT_FALSE(is_among_largest(undefined, 1, 3));
  EXPECT_TRUE(is_among_largest(undefined, 0, 2));
}

TEST(Probabilities, AreTheSoftmaxEvenOfLargeLogits) {
  const std::vector<float> logits = {1000, 1000, 998};
  const std::vector<double> p = probabilities(logits);
  const double rest = std::exp(-2.0);
  EXPECT_NEAR(p[0], 1 / (2 + rest), 1e-15);
  EXPECT_NEAR(p[1], 1 / (2 + rest), 1e-15);
  EXPECT_NEAR(p[2], rest / (2 + rest), 1e-15);
}

}  // namespace
}  // namespace lockstep
