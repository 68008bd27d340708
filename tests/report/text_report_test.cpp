#include "lockstep/report/text_report.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace lockstep {
namespace {

Evaluation three_classes() {
  return {3, {"a", "b", "c"}, {290, 3, 0, 5, 330, 7, 1, 11, 350}, 99.7};
}

// Class 1 has no rows and class 2 is never predicted.
Evaluation gaps() {
  return {4,
          {"zero", "empty", "never predicted, ünïcode", "3"},
          {120, 4, 0, 1, 0, 0, 0, 0, 9, 3, 0, 2, 2, 0, 0, 1033},
          0};
}

// Printed by scikit-learn 1.9.1, t and p being the rows behind the confusion matrix:
//   classification_report(t, p, labels=range(k), target_names=names, digits=4,
//                         zero_division=0)
constexpr const char* kThreeClasses =
    R"(              precision    recall  f1-score   support

           a     0.9797    0.9898    0.9847       293
           b     0.9593    0.9649    0.9621       342
           c     0.9804    0.9669    0.9736       362

    accuracy                         0.9729       997
   macro avg     0.9731    0.9738    0.9735       997
weighted avg     0.9730    0.9729    0.9729       997
)";

constexpr const char* kGaps =
    R"(                          precision    recall  f1-score   support

                    zero     0.9160    0.9600    0.9375       125
                   empty     0.0000    0.0000    0.0000         0
never predicted, ünïcode     0.0000    0.0000    0.0000        14
                       3     0.9971    0.9981    0.9976      1035

                accuracy                         0.9821      1174
               macro avg     0.4783    0.4895    0.4838      1174
            weighted avg     0.9766    0.9821    0.9793      1174
)";

TEST(ClassificationReport, EqualsScikitLearn) {
  EXPECT_EQ(classification_report(three_classes()), kThreeClasses);
}

TEST(ClassificationReport, EqualsScikitLearnWithGapsAndLongNames) {
  EXPECT_EQ(classification_report(gaps()), kGaps);
}

TEST(ConfusionMatrixText, AlignsNumbersUnderNames) {
  EXPECT_EQ(confusion_matrix_text(three_classes()),
            "true \\ predicted    a    b    c\n"
            "               a  290    3    .\n"
            "               b    5  330    7\n"
            "               c    1   11  350\n");
}

TEST(ConfusionMatrixText, WidensColumnsForNamesAndThousands) {
  EXPECT_EQ(confusion_matrix_text(gaps()),
            "        true \\ predicted  zero  empty  never predicted, ünïcode     3\n"
            "                    zero   120      4                         .     1\n"
            "                   empty     .      .                         .     .\n"
            "never predicted, ünïcode     9      3                         .     2\n"
            "                       3     2      .                         .  1033\n");
}

// So many classes, and rows of class 1 predicted as class 0 and of class 2 as class 1.
Evaluation many_classes(int classes) {
  Evaluation evaluation{classes, {}, {}, 1};
  for (int i = 0; i < classes; ++i) evaluation.class_names.push_back(fmt::format("c{}", i));
  evaluation.confusion.resize(static_cast<std::size_t>(classes) *
                              static_cast<std::size_t>(classes));
  evaluation.confusion[0] = 5;
  evaluation.confusion[static_cast<std::size_t>(classes)] = 2;
  evaluation.confusion[2 * static_cast<std::size_t>(classes) + 1] = 3;
  return evaluation;
}

TEST(ConfusionMatrixText, NamesTheWorstPairsOfManyClasses) {
  EXPECT_EQ(confusion_matrix_text(many_classes(31)),
            "2 of 2 pairs of classes that were confused, most rows first\n"
            "         3  c2 predicted as c1\n"
            "         2  c1 predicted as c0\n");
  EXPECT_NE(confusion_matrix_text(many_classes(30)).find("true \\ predicted"), std::string::npos);
}

TEST(EvaluationJson, IsSparseForManyClasses) {
  const auto json = nlohmann::json::parse(evaluation_json(many_classes(1001)));
  EXPECT_EQ(json.at("confusion"), nlohmann::json::parse("[[0, 0, 5], [1, 0, 2], [2, 1, 3]]"));
  EXPECT_EQ(nlohmann::json::parse(evaluation_json(many_classes(1000))).at("confusion").size(),
            1000U);
}

TEST(EvaluationJson, HoldsEveryNumberExactly) {
  const Evaluation evaluation = three_classes();
  const auto json = nlohmann::json::parse(evaluation_json(evaluation));
  EXPECT_EQ(json.size(), 9U);
  EXPECT_EQ(json.at("rows"), 997);
  EXPECT_EQ(json.at("correct"), 970);
  EXPECT_EQ(json.at("accuracy").get<double>(), 970.0 / 997.0);
  EXPECT_EQ(json.at("loss").get<double>(), 99.7 / 997.0);
  EXPECT_EQ(json.at("class_names"), nlohmann::json({"a", "b", "c"}));
  EXPECT_EQ(json.at("confusion"),
            nlohmann::json::parse("[[290, 3, 0], [5, 330, 7], [1, 11, 350]]"));
  ASSERT_EQ(json.at("per_class").size(), 3U);
  EXPECT_EQ(json.at("per_class")[0].at("precision").get<double>(), 290.0 / 296.0);
  EXPECT_EQ(json.at("per_class")[1].at("recall").get<double>(), 330.0 / 342.0);
  EXPECT_EQ(json.at("per_class")[2].at("f1").get<double>(), 700.0 / 719.0);
  EXPECT_EQ(json.at("per_class")[2].at("support"), 362);
  EXPECT_EQ(json.at("macro").at("recall").get<double>(), evaluation.macro_average().recall);
  EXPECT_EQ(json.at("weighted").at("f1").get<double>(), evaluation.weighted_average().f1);
}

TEST(EvaluationJson, TellsTheTopKAccuracyThatWasAskedFor) {
  Evaluation evaluation = three_classes();
  EXPECT_EQ(top_k_text(evaluation), "");
  evaluation.top_k = 2;
  evaluation.top_k_correct = 990;
  EXPECT_EQ(top_k_text(evaluation), "  top-2 accuracy 0.9930");
  const auto json = nlohmann::json::parse(evaluation_json(evaluation));
  EXPECT_EQ(json.size(), 12U);
  EXPECT_EQ(json.at("top_k"), 2);
  EXPECT_EQ(json.at("top_k_correct"), 990);
  EXPECT_EQ(json.at("top_k_accuracy").get<double>(), 990.0 / 997.0);
}

TEST(EvaluationJson, IsIndentedInAFixedOrder) {
  const Evaluation evaluation = {1, {"only"}, {4}, 2};
  EXPECT_EQ(evaluation_json(evaluation), R"({
  "rows": 4,
  "correct": 4,
  "accuracy": 1.0,
  "loss": 0.5,
  "class_names": [
    "only"
  ],
  "per_class": [
    {
      "precision": 1.0,
      "recall": 1.0,
      "f1": 1.0,
      "support": 4
    }
  ],
  "macro": {
    "precision": 1.0,
    "recall": 1.0,
    "f1": 1.0,
    "support": 4
  },
  "weighted": {
    "precision": 1.0,
    "recall": 1.0,
    "f1": 1.0,
    "support": 4
  },
  "confusion": [
    [
      4
    ]
  ]
}
)");
}

TEST(EvaluationJson, WritesNonFiniteNumbersAsNull) {
  Evaluation evaluation = three_classes();
  evaluation.loss_sum = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(nlohmann::json::parse(evaluation_json(evaluation)).at("loss").is_null());
}

TEST(EvaluationJson, ReplacesBytesThatAreNoText) {
  Evaluation evaluation = three_classes();
  evaluation.class_names[0] = "a\xFF";
  EXPECT_EQ(nlohmann::json::parse(evaluation_json(evaluation)).at("class_names")[0], "a\uFFFD");
}

}  // namespace
}  // namespace lockstep
