#include "lockstep/report/sweep.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <variant>

#include "lockstep/report/sweep_page.h"
#include "report/parallel_coordinates.h"
#include "report/value_scale.h"

namespace lockstep {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

MetricsPoint epoch(int number, double accuracy, double loss) {
  MetricsPoint point;
  point.epoch = number;
  point.val_accuracy = accuracy;
  point.val_loss = loss;
  return point;
}

SweptRun run(const std::string& folder, const std::string& state,
             const std::vector<MetricsPoint>& epochs, const std::string& value = "1") {
  SweptRun made;
  made.folder = folder;
  made.state = state;
  made.values = {value};
  made.record.epochs = epochs;
  return made;
}

std::vector<SweptRun> some_runs() {
  return {run("000", "diverged", {epoch(1, 0.99, 0.1)}),
          run("001", "done", {epoch(1, 0.5, 0.2), epoch(2, 0.9, 0.6), epoch(3, 0.9, 0.1)}),
          run("002", "waiting", {}),
          run("003", "done", {epoch(1, kNone, kNone)}),
          run("004", "saved", {epoch(1, 0.95, 0.3)}),
          run("005", "done", {epoch(1, 0.9, 0.5)}),
          run("006", "done", {epoch(1, 0.9, 0.6)})};
}

std::string order(const std::vector<SweptRun>& runs) {
  std::string text;
  for (const SweptRun& each : runs) text += each.folder.back();
  return text;
}

TEST(SweepRanking, DoneRunsFirstThenUnfinishedThenFailed) {
  // 5 has less loss at its accuracy than the first such epoch of 1; 1 and 6 are equal, so
  // they stay in order; 3 is done without a result.
  EXPECT_EQ(order(ranked(some_runs(), RankedBy::kValAccuracy)), "5163420");
  // 1: 0.1, 5: 0.5, 6: 0.6.
  EXPECT_EQ(order(ranked(some_runs(), RankedBy::kValLoss)), "1563420");
}

TEST(SweepRanking, TheBestEpochIsTheFirstOfEquals) {
  const SweptRun one = some_runs()[1];
  EXPECT_EQ(best_epoch(one, RankedBy::kValAccuracy)->epoch, 2);
  EXPECT_EQ(best_epoch(one, RankedBy::kValLoss)->epoch, 3);
  EXPECT_EQ(best_epoch(some_runs()[3], RankedBy::kValAccuracy), nullptr);
}

TEST(SweepRanking, OnlyARunThatIsDoneIsTheBest) {
  Sweep sweep;
  EXPECT_EQ(best_run(sweep), nullptr);
  sweep.runs = ranked({run("000", "saved", {epoch(1, 0.5, 1)})}, RankedBy::kValAccuracy);
  EXPECT_EQ(best_run(sweep), nullptr);
  sweep.runs = ranked(some_runs(), RankedBy::kValAccuracy);
  EXPECT_EQ(best_run(sweep)->folder, "005");
}

TEST(SweepRanking, FailuresByCause) {
  std::vector<SweptRun> runs = {run("000", "failed", {}), run("001", "done", {}),
                                run("002", "diverged", {}), run("003", "failed", {})};
  for (const std::size_t i : {0, 3}) runs[i].cause = "no such file";
  const std::vector<SweepFailure> found = failures(runs);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].folders, (std::vector<std::string>{"000", "003"}));
  EXPECT_EQ(found[0].cause, "no such file");
  EXPECT_EQ(found[1].state, "diverged");
}

TEST(SweepRanking, ShortNamesTellPathsApart) {
  EXPECT_EQ(short_names({"seed", "optimizer.adam.learning_rate"}),
            (std::vector<std::string>{"seed", "learning_rate"}));
  EXPECT_EQ(short_names({"model.layer[0].conv.filters", "model.layer[2].conv.filters"}),
            (std::vector<std::string>{"layer[0].conv.filters", "layer[2].conv.filters"}));
  EXPECT_EQ(short_names({"model.layer[0].conv.filters", "training.epochs"}),
            (std::vector<std::string>{"conv.filters", "epochs"}));
}

TEST(SweepTable, RanksAndNamesFailures) {
  Sweep sweep;
  sweep.fields = {"seed"};
  std::vector<SweptRun> runs = some_runs();
  runs[0].cause = "it broke";
  sweep.runs = ranked(runs, RankedBy::kValAccuracy);
  const std::string text = sweep_table(sweep);
  EXPECT_NE(text.find("   1  005     1        0.9000    0.5000  1 of 1     -  done\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("000 diverged: it broke\n"), std::string::npos) << text;
}

TEST(ValueScale, LogWhereValuesSpreadOverDecades) {
  const ValueScale rates({"1e-2", "0.0001", "1e-3"});
  EXPECT_DOUBLE_EQ(rates.place("0.0001"), 0);
  EXPECT_NEAR(rates.place("1e-3"), 0.5, 1e-12);
  EXPECT_DOUBLE_EQ(rates.place("1e-2"), 1);
  // Drawn with a uniform logarithm from 0.001 to 0.1.
  const ValueScale drawn({"0.001", "0.0012", "0.0066", "0.021", "0.03", "0.044", "0.063", "0.1"});
  EXPECT_NEAR(drawn.place("0.021"), std::log(21) / std::log(100), 1e-12);
  const ValueScale two({"1", "10"});
  EXPECT_EQ(two.ticks()[1].second, "10");
}

TEST(ValueScale, LinearWhereTheyAreEven) {
  const ValueScale seeds(
      {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15"});
  EXPECT_DOUBLE_EQ(seeds.place("8"), 0.5);
  for (const auto& [place, text] : seeds.ticks()) {
    EXPECT_NEAR(place, (std::stod(text) - 1) / 14, 1e-12);
  }
  const ValueScale tenths({"0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1"});
  EXPECT_NEAR(tenths.place("0.4"), 1.0 / 3, 1e-12);
  const ValueScale with_zero({"0", "0.1", "100"});
  EXPECT_NEAR(with_zero.place("0.1"), 0.001, 1e-12);
}

TEST(ValueScale, WordsAreEvenInAlphabeticalOrder) {
  const ValueScale words({"RELU", "GELU", "RELU", "TANH"});
  EXPECT_DOUBLE_EQ(words.place("GELU"), 0);
  EXPECT_DOUBLE_EQ(words.place("RELU"), 0.5);
  EXPECT_DOUBLE_EQ(words.place("TANH"), 1);
  EXPECT_DOUBLE_EQ(ValueScale({"same"}).place("same"), 0.5);
  EXPECT_DOUBLE_EQ(ValueScale({"7"}).place("7"), 0.5);
  EXPECT_EQ(ValueScale({"", "x"}).ticks()[0].second, "default");
}

TEST(ParallelCoordinates, ALineARunAndShorterOnesWithoutResult) {
  const Drawing chart = parallel_coordinates(
      {.title = "t", .fields = {"a", "b"}, .result = "r"},
      {{"best", {"1", "x"}, 0.9}, {"worse", {"2", "y"}, 0.5}, {"failed", {"3", "x"}, kNone}});
  std::vector<Curve> lines;
  for (const Shape& shape : chart.shapes) {
    const auto* curve = std::get_if<Curve>(&shape);
    if (curve != nullptr && curve->colour.ink != Ink::kMuted) lines.push_back(*curve);
  }
  ASSERT_EQ(lines.size(), 3U);  // the best is drawn last, over the others
  EXPECT_EQ(lines[0].points.size(), 2U);
  EXPECT_EQ(lines[0].colour.ink, Ink::kBad);
  EXPECT_EQ(lines[1].colour.ink, Ink::kHeat);
  EXPECT_EQ(lines[2].colour.ink, Ink::kGood);
  ASSERT_EQ(lines[2].points.size(), 3U);
  EXPECT_LT(lines[2].points[2].y, lines[1].points[2].y);  // y points down
  for (const Curve& line : lines) {
    for (const Point& point : line.points) {
      EXPECT_TRUE(point.x >= 0 && point.x <= chart.width);
      EXPECT_TRUE(point.y >= 0 && point.y <= chart.height);
    }
  }
}

}  // namespace
}  // namespace lockstep
