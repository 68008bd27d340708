#include <nlohmann/json.hpp>

#include "lockstep/report/text_report.h"

namespace lockstep {

namespace {

using Json = nlohmann::ordered_json;  // keys stay in the order written

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

}  // namespace

std::string evaluation_json(const Evaluation& evaluation) {
  Json per_class = Json::array();
  Json confusion = Json::array();
  for (int index = 0; index < evaluation.classes; ++index) {
    per_class.push_back(metrics_json(evaluation.of_class(index)));
    confusion.push_back(confusion_row(evaluation, index));
  }
  const Json object = {{"rows", evaluation.rows()},
                       {"correct", evaluation.correct()},
                       {"accuracy", evaluation.accuracy()},
                       {"loss", evaluation.loss()},
                       {"class_names", evaluation.class_names},
                       {"per_class", per_class},
                       {"macro", metrics_json(evaluation.macro_average())},
                       {"weighted", metrics_json(evaluation.weighted_average())},
                       {"confusion", confusion}};
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace lockstep
