#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "lockstep/core/text.h"
#include "lockstep/report/text_report.h"
#include "report/confusions.h"
#include "report/text_table.h"

namespace lockstep {

namespace {

constexpr int kMostColumns = 30;
constexpr std::size_t kMostPairs = 20;
constexpr std::string_view kCorner = "true \\ predicted";

std::string cell(std::int64_t count) { return count == 0 ? "." : fmt::format("{}", count); }

// The widest of a column's heading and counts.
std::size_t column_width(const Evaluation& evaluation, const std::string& name, int predicted) {
  std::size_t width = text_width(name);
  for (int truth = 0; truth < evaluation.classes; ++truth) {
    width = std::max(width, cell(evaluation.count(truth, predicted)).size());
  }
  return width;
}

// A table of so many columns is of no use.
std::string worst_pairs_text(const Evaluation& evaluation) {
  std::vector<Confusion> pairs = confusions(evaluation);
  const std::size_t all = pairs.size();
  pairs.resize(std::min(all, kMostPairs));
  std::string text = fmt::format("{} of {} pairs of classes that were confused, most rows first\n",
                                 pairs.size(), all);
  const auto name = [&](int index) {
    return printable(evaluation.class_names[static_cast<std::size_t>(index)]);
  };
  for (const Confusion& pair : pairs) {
    text += fmt::format("{:>10}  {} predicted as {}\n", pair.rows, name(pair.truth),
                        name(pair.predicted));
  }
  return text;
}

}  // namespace

std::string confusion_matrix_text(const Evaluation& evaluation) {
  if (evaluation.classes > kMostColumns) return worst_pairs_text(evaluation);
  const std::vector<std::string> names = printable_names(evaluation);
  std::size_t heading_width = kCorner.size();
  for (const std::string& name : names) {
    heading_width = std::max(heading_width, text_width(name));
  }
  std::vector<std::size_t> widths;
  for (int index = 0; index < evaluation.classes; ++index) {
    widths.push_back(column_width(evaluation, names[static_cast<std::size_t>(index)], index));
  }

  std::string text = aligned_right(kCorner, heading_width);
  for (std::size_t column = 0; column < widths.size(); ++column) {
    text += "  " + aligned_right(names[column], widths[column]);
  }
  text += '\n';
  for (int truth = 0; truth < evaluation.classes; ++truth) {
    text += aligned_right(names[static_cast<std::size_t>(truth)], heading_width);
    for (int predicted = 0; predicted < evaluation.classes; ++predicted) {
      text += "  " + aligned_right(cell(evaluation.count(truth, predicted)),
                                   widths[static_cast<std::size_t>(predicted)]);
    }
    text += '\n';
  }
  return text;
}

}  // namespace lockstep
