#include "lockstep/eval/evaluation.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>

namespace lockstep {
namespace {

// Expected values are those of scikit-learn 1.9.1:
//   t = [i for i in range(k) for j in range(k) for _ in range(confusion[i][j])]
//   p = [j for i in range(k) for j in range(k) for _ in range(confusion[i][j])]
//   precision_recall_fscore_support(t, p, labels=range(k), average=a, zero_division=0)
// for a in None, "macro", "weighted".
Evaluation three_classes() {
  return {3, {"a", "b", "c"}, {290, 3, 0, 5, 330, 7, 1, 11, 350}, 99.7};
}

// Class 1 has no rows and class 2 is never predicted.
Evaluation gaps() {
  return {
      4, {"zero", "empty", "never", "3"}, {120, 4, 0, 1, 0, 0, 0, 0, 9, 3, 0, 2, 2, 0, 0, 1033}, 0};
}

void expect_metrics(const ClassMetrics& metrics, const std::array<double, 3>& expected,
                    std::int64_t support) {
  EXPECT_DOUBLE_EQ(metrics.precision, expected[0]);
  EXPECT_DOUBLE_EQ(metrics.recall, expected[1]);
  EXPECT_DOUBLE_EQ(metrics.f1, expected[2]);
  EXPECT_EQ(metrics.support, support);
}

TEST(Evaluation, CountsRowsAndHits) {
  EXPECT_EQ(three_classes().rows(), 997);
  EXPECT_EQ(three_classes().correct(), 970);
  EXPECT_DOUBLE_EQ(three_classes().accuracy(), 970.0 / 997.0);
  EXPECT_DOUBLE_EQ(three_classes().loss(), 0.1);
}

TEST(Evaluation, ReadsRowsAsTruth) {
  EXPECT_EQ(three_classes().count(0, 1), 3);
  EXPECT_EQ(three_classes().count(1, 0), 5);
}

TEST(Evaluation, MatchesScikitLearnPerClass) {
  const Evaluation evaluation = three_classes();
  expect_metrics(evaluation.of_class(0),
                 {0.9797297297297297, 0.9897610921501706, 0.9847198641765704}, 293);
  expect_metrics(evaluation.of_class(1),
                 {0.9593023255813954, 0.9649122807017544, 0.9620991253644315}, 342);
  expect_metrics(evaluation.of_class(2),
                 {0.9803921568627451, 0.9668508287292817, 0.9735744089012517}, 362);
}

TEST(Evaluation, MatchesScikitLearnInAverages) {
  expect_metrics(three_classes().macro_average(),
                 {0.9731414040579568, 0.9738414005270689, 0.9734644661474179}, 997);
  expect_metrics(three_classes().weighted_average(),
                 {0.9729630561122986, 0.9729187562688064, 0.9729134975934042}, 997);
}

TEST(Evaluation, TakesUndefinedRatiosAsZero) {
  expect_metrics(gaps().of_class(0), {0.916030534351145, 0.96, 0.9375}, 125);
  expect_metrics(gaps().of_class(1), {0, 0, 0}, 0);
  expect_metrics(gaps().of_class(2), {0, 0, 0}, 14);
  expect_metrics(gaps().of_class(3), {0.997104247104247, 0.9980676328502416, 0.9975857073877354},
                 1035);
}

TEST(Evaluation, AveragesOverClassesWithoutRowsToo) {
  expect_metrics(gaps().macro_average(),
                 {0.478283695363848, 0.4895169082125604, 0.48377142684693386}, 1174);
  expect_metrics(gaps().weighted_average(),
                 {0.9765815268712, 0.9821124361158433, 0.9792919140939575}, 1174);
}

TEST(Evaluation, IsNoNumberWithoutRows) {
  const Evaluation none = {2, {"a", "b"}, {0, 0, 0, 0}, 0};
  EXPECT_EQ(none.rows(), 0);
  EXPECT_EQ(none.correct(), 0);
  EXPECT_EQ(none.macro_average().support, 0);
  for (const double value :
       {none.accuracy(), none.loss(), none.macro_average().f1, none.weighted_average().precision}) {
    EXPECT_EQ(fmt::format("{}", value), "nan");
  }
}

}  // namespace
}  // namespace lockstep
