#include "lockstep/report/report_files.h"

#include <gtest/gtest.h>

#include <limits>
#include <string_view>

#include "lockstep/report/compare_page.h"

namespace lockstep {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

MetricsPoint point(int epoch, double accuracy) {
  return {"epoch",  epoch, 10 * epoch, 1.0 / epoch, accuracy, 0.5 / epoch,
          accuracy, 1e-3,  1000,       60,          ""};
}

PredictedRow row(int truth, int predicted) {
  return {7, truth, predicted, 0.75, {2, 2, 1, {0, 80, 160, 240}}};
}

// `classes` classes, 10 rows of each, one of which is taken for the next class.
ReportData sample(int classes) {
  ReportData data;
  data.name = "<b>tiny</b>";
  data.weights = "weights of epoch 2 of 2";
  data.run.folder = "a\"b";
  data.run.epochs = {point(1, 0.5), point(2, 0.9)};
  data.run.ranks = 2;
  data.run.threads_per_rank = 1;
  data.run.environment = {{"host", "<i>"}};
  const auto count = static_cast<std::size_t>(classes);
  data.validation.classes = classes;
  data.validation.confusion.resize(count * count, 0);
  for (std::size_t i = 0; i < count; ++i) {
    data.validation.class_names.push_back("class <" + std::to_string(i) + ">");
    data.validation.confusion[i * count + i] = 9;
    data.validation.confusion[i * count + (i + 1) % count] = 1;
  }
  data.validation.loss_sum = 1;
  data.training_class_counts.assign(count, 40);
  data.validation_class_counts.assign(count, 10);
  data.mistakes = {row(0, 1)};
  data.showcase = {row(0, 0), row(0, 1)};
  data.samples = {{3, 1, {{2, 2, 3, std::vector<std::uint8_t>(12, 9)}}}};
  data.input = {2, 2, 1};
  data.layers = {{"flatten", {1, 1, 4}, 0, 0, 0, 0, ""}, {"dense 3", {1, 1, 3}, 15, 15, 0, 0, ""}};
  data.experiment = "name: \"<b>\"\n";
  return data;
}

std::size_t occurrences(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

// Width and height of a PNG file, from its header chunk.
std::pair<unsigned, unsigned> png_size(std::string_view file) {
  EXPECT_EQ(file.substr(0, 8), "\x89PNG\r\n\x1A\n");
  EXPECT_EQ(file.substr(12, 4), "IHDR");
  const auto number = [&](std::size_t at) {
    unsigned value = 0;
    for (const char byte : file.substr(at, 4))
      value = value << 8U | static_cast<unsigned char>(byte);
    return value;
  };
  return {number(16), number(20)};
}

TEST(ReportFiles, AreAPageAndPictures) {
  const auto files = report_files(sample(3));
  std::vector<std::string> names;
  for (const auto& [name, content] : files) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"confusion_matrix.png", "confusion_matrix.svg",
                                             "curves.png", "curves.svg", "misclassified.png",
                                             "predictions.png", "report.html", "samples.png"}));
  // Twice the drawings' sizes: three charts of 380 by 230, a gallery of 8 columns.
  EXPECT_EQ(png_size(files.at("curves.png")), (std::pair(2280U, 460U)));
  EXPECT_EQ(png_size(files.at("misclassified.png")).first, 1944U);
}

TEST(ReportFiles, AreEqualForEqualData) {
  EXPECT_EQ(report_files(sample(3)), report_files(sample(3)));
}

TEST(ReportFiles, ShowTheEvaluation) {
  const std::string page = report_files(sample(3)).at("report.html");
  EXPECT_NE(page.find(">90.00%</dd>"), std::string::npos);
  EXPECT_NE(page.find(">27 of 30 validation rows</dd>"), std::string::npos);
  EXPECT_NE(page.find(">0.0333</dd>"), std::string::npos);
  EXPECT_NE(page.find(">2 min 00 s</dd>"), std::string::npos);
  EXPECT_EQ(occurrences(page, "<td class=\"number\">0.9000</td>"), 3U * 3 + 2 * 3);
  EXPECT_EQ(occurrences(page, "<img "), 4U);
}

TEST(ReportFiles, HoldNoMarkupOfNames) {
  for (const auto& [name, content] : report_files(sample(3))) {
    if (name.ends_with(".png")) continue;
    EXPECT_EQ(content.find("<b>"), std::string::npos) << name;
    EXPECT_EQ(content.find("<0>"), std::string::npos) << name;
    EXPECT_EQ(content.find("<i>"), std::string::npos) << name;
  }
}

TEST(ReportFiles, OfARunWithoutMetricsOrValidationRows) {
  ReportData data = sample(3);
  data.run = {};
  data.mistakes.clear();
  data.showcase.clear();
  data.validation.confusion.assign(9, 0);
  data.validation.loss_sum = 0;
  data.validation_class_counts.assign(3, 0);
  const auto files = report_files(data);
  EXPECT_EQ(files.at("report.html").find("id=\"confusion\""), std::string::npos);
  EXPECT_EQ(files.at("report.html").find("id=\"curves\""), std::string::npos);
  EXPECT_NE(files.at("report.html").find("id=\"classes\""), std::string::npos);
}

TEST(ReportFiles, OfValuesThatAreNotFinite) {
  ReportData data = sample(3);
  data.validation.loss_sum = kNone;
  data.run.epochs[1] = {"epoch", 2, 20, kNone, kNone, kNone, kNone, kNone, kNone, kNone, ""};
  const std::string page = report_files(data).at("report.html");
  EXPECT_EQ(page.find("points=\"nan"), std::string::npos);
  EXPECT_EQ(page.find(",nan"), std::string::npos);
  EXPECT_NE(page.find(">n/a</td>"), std::string::npos);
}

TEST(ReportFiles, WithoutMistakesSaySo) {
  ReportData data = sample(2);
  data.validation.confusion = {5, 0, 0, 5};
  data.mistakes.clear();
  EXPECT_NE(report_files(data).at("report.html").find("every validation row is right"),
            std::string::npos);
}

TEST(ReportFiles, OfManyClassesShowTheWorst) {
  const auto files = report_files(sample(300));
  EXPECT_NE(files.at("report.html").find("The 40 of 300 classes with the most mistakes."),
            std::string::npos);
  EXPECT_LT(files.at("report.html").size(), std::size_t{1} << 20U);
  EXPECT_LT(png_size(files.at("confusion_matrix.png")).first, 2000U);
}

ComparedRun compared(const std::string& name, double accuracy, const std::string& rate) {
  ComparedRun run;
  run.name = name;
  run.record = sample(3).run;
  run.record.epochs[1].val_accuracy = accuracy;
  run.parameters = 15;
  run.settings = {{"name", name}, {"rate", rate}, {"seed", "1"}};
  return run;
}

TEST(ComparePage, MarksTheBestAndListsWhatDiffers) {
  const std::string page = compare_page(
      {compared("a", 0.91, "0.1"), compared("b", 0.93, "0.1"), compared("c", 0.92, "<1>")});
  EXPECT_EQ(occurrences(page, "class=\"number best\""), 1U);
  EXPECT_NE(page.find("<td class=\"number best\">93.00% ★</td>"), std::string::npos);
  EXPECT_NE(page.find(">rate</th><td>0.1</td><td>0.1</td><td>&lt;1&gt;</td>"), std::string::npos);
  EXPECT_EQ(page.find(">seed</th>"), std::string::npos);
}

TEST(ComparePage, OfEqualRunsMarksNothing) {
  const std::string page = compare_page({compared("a", 0.9, "1"), compared("a", 0.9, "1")});
  EXPECT_EQ(occurrences(page, "class=\"number best\""), 0U);
  EXPECT_NE(page.find("None: the experiments are equal."), std::string::npos);
}

}  // namespace
}  // namespace lockstep
