// What a survey says of a source, on every number of ranks.

#include <gtest/gtest.h>

#include <numeric>

#include "data/samples.h"
#include "lockstep/data/survey.h"
#include "lockstep/data/training_data.h"
#include "support/rank_test.h"

namespace lockstep {

namespace {

using samples::kRows;

// IDX images [rows, height, width] of bytes.
std::string idx_images(int rows, int height, int width) {
  std::string text("\0\0\x08\x03", 4);
  for (const int size : {rows, height, width}) {
    text += std::string("\0\0", 2) + static_cast<char>(size / 256) + static_cast<char>(size % 256);
  }
  for (int i = 0; i < rows * height * width; ++i) text += static_cast<char>(i % 251);
  return text;
}

class SurveyTest : public testing::Test {
 protected:
  SourceOptions write(const std::string& name, const std::string& text) {
    return {folder_.write(name, text), "", ""};
  }

  Communicator& comm_ = test_comm();
  samples::SharedFolder folder_{comm_};
};

TEST_F(SurveyTest, CountsAWholeFile) {
  const SourceOptions source = write("a.csv", samples::csv(kRows));
  const SourceSurvey seen = survey(comm_, source, samples::options(), Labels::kRequired);
  EXPECT_EQ(seen.format, "CSV");
  EXPECT_EQ(seen.rows, kRows);
  EXPECT_EQ(seen.rows_read, kRows);
  EXPECT_EQ(seen.row_count, RowCount::kExact);
  EXPECT_EQ(seen.packed_bytes, 0U);
  std::vector<std::int64_t> labels(samples::kClasses);
  double sum = 0;
  double squares = 0;
  for (int row = 0; row < kRows; ++row) {
    ++labels[static_cast<std::size_t>(samples::label_of(row))];
    for (int i = 0; i < 45; ++i) {
      const double pixel = samples::pixel_of(row, i);
      sum += pixel;
      squares += pixel * pixel;
    }
  }
  EXPECT_EQ(seen.class_counts, labels);
  const double mean = sum / (45 * kRows);
  EXPECT_EQ(seen.pixels.least, 0);
  EXPECT_EQ(seen.pixels.most, 255);
  EXPECT_NEAR(seen.pixels.mean, mean, 1e-9);
  EXPECT_NEAR(seen.pixels.deviation, std::sqrt(squares / (45 * kRows) - mean * mean), 1e-9);
  if (comm_.rank() > 0) return;
  ASSERT_EQ(seen.first_rows.size(), 8U);
  EXPECT_EQ(seen.first_rows[7].label, samples::label_of(7));
  EXPECT_EQ(seen.first_rows[7].levels[1], samples::pixel_of(7, 1));
}

TEST_F(SurveyTest, EstimatesALargeOne) {
  const std::string text = samples::csv(kRows);
  const SourceOptions source = write("b.csv", text);
  // About a tenth, whatever the ranks.
  const auto most =
      static_cast<std::uint64_t>(text.size()) / 10 / static_cast<std::uint64_t>(comm_.world_size());
  const SourceSurvey seen = survey(comm_, source, samples::options(), Labels::kRequired, most);
  EXPECT_EQ(seen.row_count, RowCount::kEstimated);
  EXPECT_LT(seen.rows_read, kRows / 5);
  EXPECT_NEAR(static_cast<double>(seen.rows), kRows, 0.1 * kRows);
  EXPECT_EQ(std::accumulate(seen.class_counts.begin(), seen.class_counts.end(), std::int64_t{0}),
            seen.rows_read);
}

TEST_F(SurveyTest, TheHeaderOfAnIdxFileTellsItsRows) {
  const SourceOptions source = write("c.idx", idx_images(kRows, 5, 9));
  const SourceSurvey seen = survey(comm_, source, samples::options(), Labels::kOptional, 5000);
  EXPECT_EQ(seen.format, "IDX");
  EXPECT_EQ(seen.rows, kRows);
  EXPECT_EQ(seen.row_count, RowCount::kExact);
  EXPECT_LT(seen.rows_read, kRows);
  EXPECT_FALSE(seen.labelled);
}

TEST_F(SurveyTest, SplitsAsTheTrainingDataDo) {
  const SourceOptions source = write("d.csv", samples::csv(kRows));
  DataOptions options = samples::options();
  options.train = source;
  for (const bool stratified : {true, false}) {
    options.validation = {{}, 0.37, stratified};
    const SourceSurvey seen = survey(comm_, source, options, Labels::kRequired);
    const SplitSizes split = split_sizes(seen.class_counts, options.validation);
    const DataSummary summary = TrainingData(comm_, options, 5, 3).summary();
    EXPECT_EQ(split.training, summary.training_rows);
    EXPECT_EQ(split.validation, summary.validation_rows);
  }
}

TEST_F(SurveyTest, GuessesShapes) {
  const auto shape_of = [&](const std::string& name, const std::string& text) {
    return guess_options(write(name, text), "label").shape;
  };
  const auto header = [](int pixels, const std::string& label) {
    std::string text = label;
    for (int i = 0; i < pixels; ++i) text += (text.empty() ? "p" : ",p") + std::to_string(i);
    return text + "\n0\n";
  };
  EXPECT_EQ(shape_of("e.csv", header(784, "label")), (ImageShape{28, 28, 1}));
  EXPECT_EQ(shape_of("f.csv", header(784, "")), (ImageShape{28, 28, 1}));
  EXPECT_EQ(shape_of("g.csv", header(3072, "label")), (ImageShape{32, 32, 3}));
  EXPECT_EQ(shape_of("h.csv", header(45, "label")), (ImageShape{1, 45, 1}));
  EXPECT_EQ(shape_of("i.csv", header(48, "Labeled")),
            (ImageShape{7, 7, 1}));  // a pixel, by its name
  EXPECT_EQ(shape_of("j.idx", idx_images(3, 5, 9)), (ImageShape{5, 9, 1}));
  EXPECT_EQ(samples::error_of([&] { shape_of("k.csv", ""); }).find(folder_.path("k.csv:1:1: ")),
            0U);
}

}  // namespace

}  // namespace lockstep
