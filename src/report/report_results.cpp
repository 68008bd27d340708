#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "lockstep/core/text.h"
#include "lockstep/run/run_files.h"
#include "report/class_charts.h"
#include "report/confusions.h"
#include "report/curves.h"
#include "report/page.h"
#include "report/render.h"
#include "report/sections.h"
#include "report/text.h"

namespace lockstep {

namespace {

constexpr std::size_t kMostConfusions = 12;
constexpr std::size_t kMostClassLines = 200;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

const std::string& name_of(const Evaluation& evaluation, int index) {
  return evaluation.class_names[static_cast<std::size_t>(index)];
}

std::int64_t sum_of(const std::vector<std::int64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

std::string decimals(double value) {
  return std::isfinite(value) ? fmt::format("{:.4f}", value) : "n/a";
}

std::vector<Card> result_cards(const Evaluation& validation) {
  if (validation.rows() == 0) return {};
  const std::int64_t rows = validation.rows();
  std::vector<Card> cards = {
      {"accuracy", percent(validation.accuracy()),
       fmt::format("{} of {} validation row{}", grouped(validation.correct()), grouped(rows),
                   rows == 1 ? "" : "s")},
      {"wrong", grouped(rows - validation.correct()),
       percent(1 - validation.accuracy()) + " of the rows"},
      {"loss", decimals(validation.loss()), "cross entropy, validation"},
      {"macro F1", decimals(validation.macro_average().f1),
       fmt::format("over {} classes", validation.classes)}};
  if (validation.top_k > 0) {
    cards.insert(
        cards.begin() + 1,
        Card{fmt::format("top-{} accuracy", validation.top_k), percent(validation.top_k_accuracy()),
             fmt::format("{} of {} validation row{}", grouped(validation.top_k_correct),
                         grouped(rows), rows == 1 ? "" : "s")});
  }
  return cards;
}

void write_confusion_table(Markup& to, const Evaluation& evaluation) {
  std::vector<Confusion> pairs = confusions(evaluation);
  if (pairs.size() > kMostConfusions) pairs.resize(kMostConfusions);
  to.open("div", {{"class", "scroll"}}).leaf("h3", "Most frequent mistakes");
  if (pairs.empty()) {
    to.leaf("p", "None: every row is right.").close();
    return;
  }
  to.open("table");
  write_head(to, {"true", "predicted", "rows", "of the true class"}, 2);
  to.open("tbody");
  for (const Confusion& pair : pairs) {
    const auto support = static_cast<double>(evaluation.of_class(pair.truth).support);
    to.open("tr").leaf("th", class_name(name_of(evaluation, pair.truth)), {{"scope", "row"}});
    to.leaf("td", class_name(name_of(evaluation, pair.predicted)));
    write_number(to, grouped(pair.rows));
    write_number(to, percent(static_cast<double>(pair.rows) / support));
    to.close();
  }
  to.close().close().close();
}

void write_metrics(Markup& to, const std::string& name, const ClassMetrics& metrics,
                   const char* row_class) {
  to.open("tr", {{"class", row_class}}).leaf("th", name, {{"scope", "row"}});
  for (const double value : {metrics.precision, metrics.recall, metrics.f1}) {
    write_number(to, decimals(value));
  }
  write_number(to, grouped(metrics.support));
  to.close();
}

void write_metrics_table(Markup& to, const Evaluation& evaluation) {
  const int shown = std::min(evaluation.classes, static_cast<int>(kMostClassLines));
  to.open("div", {{"class", "scroll"}}).open("table", {{"class", "wide"}});
  write_head(to, {"class", "precision", "recall", "F1", "support"});
  to.open("tbody");
  for (int index = 0; index < shown; ++index) {
    write_metrics(to, class_name(name_of(evaluation, index)), evaluation.of_class(index), "class");
  }
  write_metrics(to, "macro avg", evaluation.macro_average(), "total");
  write_metrics(to, "weighted avg", evaluation.weighted_average(), "total");
  to.close().close();
  if (shown < evaluation.classes) {
    to.leaf("p",
            fmt::format("The first {} of {} classes; {} has all.", shown, evaluation.classes,
                        kClassificationFile),
            {{"class", "note"}});
  }
  to.close();
}

}  // namespace

double mean_images_per_second(const RunRecord& run) {
  double inverse_sum = 0;
  for (const MetricsPoint& point : run.epochs) inverse_sum += 1 / point.images_per_second;
  return run.epochs.empty() ? kNone : static_cast<double>(run.epochs.size()) / inverse_sum;
}

double total_seconds(const RunRecord& run) {
  double sum = 0;
  for (const MetricsPoint& point : run.epochs) sum += point.seconds;
  return run.epochs.empty() ? kNone : sum;
}

void write_summary(Markup& to, const ReportData& data) {
  const RunRecord& run = data.run;
  to.open("header").leaf("h1", data.name);
  to.leaf("p", run.folder, {{"class", "sub"}});
  std::string sentence = data.weights;
  if (!run.outcome.empty()) sentence += "; training ended: " + run.outcome;
  to.leaf("p", sentence, {{"class", "sub"}}).close().raw("\n");

  std::vector<Card> cards = result_cards(data.validation);
  cards.push_back(
      {"rows", grouped(sum_of(data.training_class_counts)),
       fmt::format("training, {} validation", grouped(sum_of(data.validation_class_counts)))});
  std::int64_t parameters = 0;
  for (const LayerInfo& layer : data.layers) parameters += layer.parameters;
  cards.push_back({"parameters", grouped(parameters), count_of(data.layers.size(), "layer")});
  if (!run.epochs.empty()) {
    cards.push_back(
        {"training time", duration(total_seconds(run)),
         fmt::format("{}, {} step{}", count_of(run.epochs.back().epoch, "epoch"),
                     grouped(run.epochs.back().step), run.epochs.back().step == 1 ? "" : "s")});
    cards.push_back({"images/s", grouped(std::llround(mean_images_per_second(run))),
                     run.ranks == 0 ? ""
                                    : fmt::format("{}, {} each", count_of(run.ranks, "rank"),
                                                  count_of(run.threads_per_rank, "thread"))});
  }
  write_cards(to, cards);
}

void write_curves(Markup& to, const ReportData& data) {
  if (data.run.epochs.empty() && data.run.steps.empty()) return;
  to.raw("\n").open("section", {{"id", "curves"}}).leaf("h2", "Training curves");
  write_charts(to, training_curves(data.run));
  std::string note;
  if (data.run.epochs.size() > 1 && best_epoch(data.run) != nullptr) {
    note = fmt::format("The vertical line is the epoch of the best validation accuracy, {}. ",
                       best_epoch(data.run)->epoch);
  }
  note += "Training values are means over the epoch so far, with dropout and augmentation.";
  to.leaf("p", note, {{"class", "note"}}).close();
}

void write_confusion(Markup& to, const ReportData& data) {
  const Evaluation& evaluation = data.validation;
  if (evaluation.rows() == 0) return;
  to.raw("\n").open("section", {{"id", "confusion"}}).leaf("h2", "Confusion matrix");
  const std::size_t shown = matrix_classes(evaluation).size();
  const auto classes = static_cast<std::size_t>(evaluation.classes);
  to.leaf("p",
          fmt::format("{}A line for each true class, a column for each predicted one. Blue is "
                      "right; red is wrong, the stronger the more of the true class.",
                      shown < classes ? fmt::format("The {} of {} classes with the most mistakes. ",
                                                    shown, classes)
                                      : ""),
          {{"class", "note"}});
  to.open("div", {{"class", "beside"}}).open("div", {{"class", "scroll"}});
  to.raw(inline_svg(confusion_drawing(evaluation))).close();
  write_confusion_table(to, evaluation);
  to.close().close();
}

void write_classes(Markup& to, const ReportData& data) {
  to.raw("\n").open("section", {{"id", "classes"}, {"class", "long"}}).leaf("h2", "Classes");
  to.open("div", {{"class", "beside"}});
  if (data.validation.rows() > 0) write_metrics_table(to, data.validation);
  to.open("div").leaf("h3", "Rows of each class");
  const std::size_t classes = data.training_class_counts.size();
  if (classes > static_cast<std::size_t>(kMostBalanceClasses)) {
    to.leaf("p",
            fmt::format("The {} of {} classes with the fewest training rows.", kMostBalanceClasses,
                        classes),
            {{"class", "note"}});
  }
  to.raw(inline_svg(balance_drawing(data.validation.class_names, data.training_class_counts,
                                    data.validation_class_counts)));
  to.close().close().close();
}

}  // namespace lockstep
