#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "lockstep/report/text_report.h"
#include "report/text_table.h"

namespace lockstep {

namespace {

constexpr std::string_view kLongestHeading = "weighted avg";

std::string metrics_line(std::string_view heading, std::size_t width, const ClassMetrics& metrics) {
  return fmt::format("{}  {:9.4f} {:9.4f} {:9.4f} {:9}\n", aligned_right(heading, width),
                     metrics.precision, metrics.recall, metrics.f1, metrics.support);
}

}  // namespace

std::string top_k_text(const Evaluation& evaluation) {
  if (evaluation.top_k == 0) return {};
  return fmt::format("  top-{} accuracy {:.4f}", evaluation.top_k, evaluation.top_k_accuracy());
}

std::string classification_report(const Evaluation& evaluation) {
  const std::vector<std::string> names = printable_names(evaluation);
  std::size_t width = kLongestHeading.size();
  for (const std::string& name : names) width = std::max(width, text_width(name));

  std::string text = fmt::format("{:{}}  {:>9} {:>9} {:>9} {:>9}\n\n", "", width, "precision",
                                 "recall", "f1-score", "support");
  for (int index = 0; index < evaluation.classes; ++index) {
    text += metrics_line(names[static_cast<std::size_t>(index)], width, evaluation.of_class(index));
  }
  text += fmt::format("\n{}  {:9} {:9} {:9.4f} {:9}\n", aligned_right("accuracy", width), "", "",
                      evaluation.accuracy(), evaluation.rows());
  text += metrics_line("macro avg", width, evaluation.macro_average());
  text += metrics_line(kLongestHeading, width, evaluation.weighted_average());
  return text;
}

}  // namespace lockstep
