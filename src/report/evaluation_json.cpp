#include <nlohmann/json.hpp>

#include "lockstep/report/text_report.h"

namespace lockstep {

namespace {

using Json = nlohmann::ordered_json;  // keys stay in the order written

constexpr int kMostClassesOfTable = 1000;

Json metrics_json(const ClassMetrics& metrics) {
  return {{"precision", metrics.precision},
          {"recall", metrics.recall},
          {"f1", metrics.f1},
          {"support", metrics.support}};
}

Json confusion_row(const Evaluation& evaluation, int truth) {
  Json row = Json::array();
  for (int predicted = 0; predicted < evaluation.classes; ++predicted) {
    row.push_back(evaluation.count(truth, predicted));
  }
  return row;
}

// What is not 0, where a whole table would be of hundreds of megabytes.
Json sparse_confusion(const Evaluation& evaluation) {
  Json cells = Json::array();
  for (int truth = 0; truth < evaluation.classes; ++truth) {
    for (int predicted = 0; predicted < evaluation.classes; ++predicted) {
      const std::int64_t count = evaluation.count(truth, predicted);
      if (count > 0) cells.push_back({truth, predicted, count});
    }
  }
  return cells;
}

Json confusion_json(const Evaluation& evaluation) {
  if (evaluation.classes > kMostClassesOfTable) return sparse_confusion(evaluation);
  Json rows = Json::array();
  for (int truth = 0; truth < evaluation.classes; ++truth) {
    rows.push_back(confusion_row(evaluation, truth));
  }
  return rows;
}

}  // namespace

std::string evaluation_json(const Evaluation& evaluation) {
  Json per_class = Json::array();
  for (int index = 0; index < evaluation.classes; ++index) {
    per_class.push_back(metrics_json(evaluation.of_class(index)));
  }
  Json object = {{"rows", evaluation.rows()},
                 {"correct", evaluation.correct()},
                 {"accuracy", evaluation.accuracy()},
                 {"loss", evaluation.loss()}};
  if (evaluation.top_k > 0) {
    object["top_k"] = evaluation.top_k;
    object["top_k_correct"] = evaluation.top_k_correct;
    object["top_k_accuracy"] = evaluation.top_k_accuracy();
  }
  object["class_names"] = evaluation.class_names;
  object["per_class"] = per_class;
  object["macro"] = metrics_json(evaluation.macro_average());
  object["weighted"] = metrics_json(evaluation.weighted_average());
  object["confusion"] = confusion_json(evaluation);
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace lockstep
