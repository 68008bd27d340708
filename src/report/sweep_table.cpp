#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "lockstep/report/sweep_page.h"
#include "report/text.h"
#include "report/text_table.h"

namespace lockstep {

namespace {

using Row = std::vector<std::string>;

std::string metric_text(double value) {
  return std::isfinite(value) ? fmt::format("{:.4f}", value) : "-";
}

Row row_of(const Sweep& sweep, std::size_t index) {
  const SweptRun& run = sweep.runs[index];
  const MetricsPoint* best = best_epoch(run, sweep.ranked_by);
  const bool is_ranked = run.state == "done" && best != nullptr;
  Row row = {is_ranked ? std::to_string(index + 1) : "-", run.folder};
  for (const std::string& value : run.values) row.push_back(shortened(value, 24));
  row.push_back(best == nullptr ? "-" : metric_text(best->val_accuracy));
  row.push_back(best == nullptr ? "-" : metric_text(best->val_loss));
  row.push_back(
      best == nullptr ? "-" : fmt::format("{} of {}", best->epoch, run.record.epochs.back().epoch));
  row.push_back(run.seconds > 0 ? duration(run.seconds) : "-");
  row.push_back(run.state);
  for (std::string& cell : row) cell = printable(cell);
  return row;
}

}  // namespace

std::string sweep_table(const Sweep& sweep) {
  std::vector<Row> rows = {{"rank", "run"}};
  for (const std::string& name : short_names(sweep.fields)) rows[0].push_back(name);
  for (const char* name : {"val_accuracy", "val_loss", "epoch", "time", "state"}) {
    rows[0].emplace_back(name);
  }
  for (std::size_t i = 0; i < sweep.runs.size(); ++i) rows.push_back(row_of(sweep, i));
  std::vector<std::size_t> widths(rows[0].size());
  for (const Row& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      widths[c] = std::max(widths[c], text_width(row[c]));
    }
  }
  std::string text;
  for (const Row& row : rows) {
    // The state is a word, and the last column.
    for (std::size_t c = 0; c + 1 < row.size(); ++c)
      text += aligned_right(row[c], widths[c]) + "  ";
    text += row.back() + "\n";
  }
  for (const SweepFailure& failure : failures(sweep.runs)) {
    text +=
        fmt::format("{} {}: {}\n", printable(fmt::format("{}", fmt::join(failure.folders, ", "))),
                    failure.state, printable(failure.cause));
  }
  return text;
}

}  // namespace lockstep
